import { spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { dirname, join } from "node:path";

/** Commands that the driver's own program carries out. */
export const driverCommands: ReadonlySet<string> = new Set(["serve", "config"]);

const valueFlags = new Set([
  "--profile",
  "--data-dir",
  "--address",
  "--token-file",
  "--tls-ca",
  "--tls-cert",
  "--tls-key",
  "--timeout",
]);

/** The first argument that is neither a global option nor its value. */
export function commandOf(args: readonly string[]): string | undefined {
  for (let index = 0; index < args.length; index++) {
    const argument = args[index] ?? "";
    if (!argument.startsWith("-")) return argument;
    if (valueFlags.has(argument)) index++;
  }
  return undefined;
}

/**
 * Hands a command over to the driver's program, with its terminal; options before the command go behind it. The answer
 * is its exit code.
 */
export async function delegate(args: readonly string[], entry: string): Promise<number> {
  const command = commandOf(args) ?? "";
  const at = args.indexOf(command);
  const rest = [...args.slice(at + 1), ...args.slice(0, at)];
  const child = spawn(driverProgram(entry), [command, ...rest], { stdio: "inherit" });
  const forward = (name: NodeJS.Signals) => child.kill(name);
  for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, forward);
  const [code, signal] = (await once(child, "exit")) as [number | null, NodeJS.Signals | null];
  return code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
}

/** Of the package that is installed with this one, by its launcher, which knows its Node and flags. */
function driverProgram(entry: string): string {
  return join(dirname(createRequire(entry).resolve("@drover/driver/package.json")), "bin", "drover-driver");
}
