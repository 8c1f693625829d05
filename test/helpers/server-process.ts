import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";

const NOBODY = 65_534;

/** Whom servers run as: most refuse to run as root. Undefined leaves it as it is. */
export const serverOwner = process.getuid?.() === 0 ? NOBODY : undefined;

/** Starts a program as the servers' owner. The kernel ends it when this process dies without having said so. */
export function spawnServer(program: string, args: readonly string[]): ChildProcess {
  const identity =
    serverOwner === undefined ? [] : [`--reuid=${serverOwner}`, `--regid=${serverOwner}`, "--clear-groups"];
  return spawn("setpriv", ["--pdeathsig=KILL", ...identity, program, ...args], { stdio: ["ignore", "pipe", "pipe"] });
}

/** Waits for the end of a program that prepares a server. */
export async function succeeded(child: ChildProcess, name: string): Promise<void> {
  let said = "";
  for (const output of [child.stdout, child.stderr]) output?.on("data", (part) => (said += part));
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`${name} failed: ${said.slice(-2000)}`);
}

/** Waits until a server has said on stderr that it serves. */
export async function saidOnStderr(child: ChildProcess, words: string, limitMs = 60_000): Promise<void> {
  let said = "";
  const limit = AbortSignal.timeout(limitMs);
  await new Promise<void>((resolve, reject) => {
    const fail = () => reject(new Error(`the server did not start: ${said.slice(-2000)}`));
    limit.addEventListener("abort", fail);
    child.once("error", reject);
    child.once("exit", fail);
    child.stdout?.resume();
    child.stderr?.on("data", (part) => {
      said = (said + part).slice(-20_000);
      if (said.includes(words)) resolve();
    });
  });
}

/** Ends a server. Its data are of no more use: nothing is gained by an orderly end. */
export async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const end = once(child, "exit");
  child.kill("SIGKILL");
  await end;
}

/**
 * A port that nobody listens at. It is none of those that the system gives to whoever asks for any, so that no other test is
 * given it before it is used.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = randomInt(20_000, 32_000);
    const probe = createServer().listen(port, "127.0.0.1");
    const isFree = await once(probe, "listening").then(
      () => true,
      () => false,
    );
    if (!isFree) continue;
    await new Promise((resolve) => probe.close(resolve));
    return port;
  }
  throw new Error("no port is free");
}
