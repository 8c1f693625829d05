import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connectByAddressFile, type Drover } from "@drover/client";
import type { Bench } from "./measure.ts";

export const program = join(import.meta.dirname, "../../bin/drover");
/** What `ensureDriver` starts by its own resolution. */
export const driverProgram = join(import.meta.dirname, "../../packages/driver/bin/drover-driver");
const START_LIMIT_MS = 30_000;

/** A built driver in a process of its own with an empty data directory, and a client connected to it. */
export interface BenchDriver extends AsyncDisposable {
  readonly client: Drover;
  readonly dataDirectory: string;
  readonly address: string;
  readonly token: string;
  readonly pid: number;
  /** Resident set of the process in MB (1e6 bytes). */
  rssMb(): Promise<number>;
}

export async function startDriver(bench: Bench, settings: readonly string[] = []): Promise<BenchDriver> {
  const dataDirectory = await mkdtemp(join(bench.folder, "data-"));
  const child = spawn(program, ["serve", "--data-dir", dataDirectory, "--log-level", "warn", ...settings], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const { address, tokenFile } = await addressOf(dataDirectory, child);
  const client = await connectByAddressFile({ dataDirectory });
  return {
    client,
    dataDirectory,
    address,
    token: (await readFile(tokenFile, "utf8")).trim(),
    pid: Number(child.pid),
    rssMb: () => rssMb(Number(child.pid)),
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]();
      await stop(child);
      await rm(dataDirectory, { recursive: true, force: true });
    },
  };
}

/** The address file's content as soon as there is one. */
export async function addressOf(
  dataDirectory: string,
  child: ChildProcess,
): Promise<{ address: string; tokenFile: string }> {
  const deadline = Date.now() + START_LIMIT_MS;
  while (Date.now() < deadline) {
    if (child.exitCode !== null) throw new Error(`the driver ended with ${child.exitCode}`);
    try {
      return JSON.parse(await readFile(join(dataDirectory, "drivers", "default.json"), "utf8"));
    } catch {
      await sleep(2);
    }
  }
  throw new Error("the driver did not start");
}

export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await ended;
}

/** Resident set of a process in MB (1e6 bytes). */
export async function rssMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  if (kib === undefined) throw new Error("the process has no VmRSS");
  return (Number(kib) * 1024) / 1e6;
}
