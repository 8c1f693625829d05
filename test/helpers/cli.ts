import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { inject } from "vitest";
import { givenEnvironment } from "./given-environment.ts";

/** The `drover` command as one file. */
export const commandFile = join(inject("bundles"), "cli.mjs");

/** What a command left behind. */
export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Standard input. Default: none. */
  readonly input?: Uint8Array;
}

/** A command that runs. */
export interface RunningCli {
  readonly child: ChildProcess;
  readonly done: Promise<CliResult>;
}

/** Starts the `drover` command with nothing of this process's environment but the paths. */
export function startCli(args: readonly string[], { env = {}, cwd, input }: CliOptions = {}): RunningCli {
  const child = spawn(process.execPath, [commandFile, ...args], {
    stdio: "pipe",
    env: { ...givenEnvironment(), HOME: "/nonexistent", ...env },
    ...(cwd === undefined ? {} : { cwd }),
  });
  // One that ends without reading it breaks the pipe.
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  const outputs = Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { child, done: outputs.then(([stdout, stderr, [code]]) => ({ code, stdout, stderr })) };
}

/** Runs it to its end. */
export function runCli(args: readonly string[], options?: CliOptions): Promise<CliResult> {
  return startCli(args, options).done;
}

/** The JSON events of an output, one in a line. */
export function eventsOf(stdout: string): { readonly event: string; readonly [key: string]: unknown }[] {
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}
