import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

/** The processes of all drivers of a data directory that a signal has not ended yet; zombies have ended. */
export async function driversOf(dataDirectory: string): Promise<readonly number[]> {
  const found: number[] = [];
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const words = (await readFile(`/proc/${name}/cmdline`, "utf8").catch(() => "")).split("\0");
    if (words.includes("serve") && words.includes(dataDirectory)) found.push(Number(name));
  }
  return found;
}

/** Kills the drivers of a data directory until there is none. */
export async function killDrivers(dataDirectory: string): Promise<void> {
  await eventually(async () => {
    const alive = await driversOf(dataDirectory);
    for (const pid of alive) sendSignal(pid, "SIGKILL");
    return alive.length === 0;
  }, "the end of the drivers");
}

/** To a process that may be gone. */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It was faster.
  }
}

/** Settles once the condition holds; fails after 60 s. */
export async function eventually(condition: () => boolean | Promise<boolean>, what = "the condition"): Promise<void> {
  const end = performance.now() + 60_000;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`${what} did not come true`);
    await delay(20);
  }
}

/** A program that a test writes; for starts that go wrong. */
export async function writeProgram(folder: string, name: string, script: string): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return file;
}
