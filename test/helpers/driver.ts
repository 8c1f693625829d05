import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { inject } from "vitest";
import { givenEnvironment } from "./given-environment.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PINNED_NODE = join(ROOT, "node_modules", ".bin", "node");
/** The driver's program as one file, which starts in a third of the time that its sources take. */
const driverFile = join(inject("bundles"), "driver.mjs");
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 60_000;

export interface DriverOptions {
  /** Flags of `serve` beside `--data-dir` and `--listen`. */
  readonly args?: readonly string[];
  /** Added to the scrubbed environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Default: `default`. */
  readonly profile?: string;
  /** The profile's file (TOML), written before the start. */
  readonly config?: string;
  /** A data directory that the caller owns, for a second driver on the same data. Default: a new one, removed at the end. */
  readonly dataDir?: string;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A real driver process of its own. */
export interface TestDriver extends AsyncDisposable {
  /** `host:port`. */
  readonly address: string;
  readonly token: string;
  readonly dataDir: string;
  readonly instanceId: string;
  readonly pid: number;
  readonly process: ChildProcess;
  /** What it wrote to stderr so far. */
  log(): string;
  /** Sends a signal (default SIGTERM) and waits for the end. */
  stop(signal?: NodeJS.Signals): Promise<Exit>;
  /** Settles when the process ends by itself. */
  readonly exited: Promise<Exit>;
}

/** Starts `serve` on a free port and waits until its address file says where. Rejects with its log if it dies. */
export async function startDriver(options: DriverOptions = {}): Promise<TestDriver> {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), "drover-test-")));
  const profile = options.profile ?? "default";
  if (options.config !== undefined) await writeProfile(dataDir, profile, options.config);
  const place = ["--data-dir", dataDir, "--profile", profile, "--listen", "127.0.0.1:0"];
  const args = ["serve", ...place, ...(options.args ?? [])];
  const { child, log, exited } = spawnDriver(args, options.env);
  const cleanUp = async () => {
    if (options.dataDir === undefined) await rm(dataDir, { recursive: true, force: true, maxRetries: 3 });
  };
  try {
    const file = join(dataDir, "drivers", `${profile}.json`);
    const content = await Promise.race([
      waitForAddress(file, child.pid),
      exited.then(({ code, signal }) => {
        throw new Error(`the driver ended at its start (${code ?? signal}):\n${log()}`);
      }),
    ]);
    const token = (await readFile(content.tokenFile, "utf8")).trim();
    const stop = async (signal: NodeJS.Signals = "SIGTERM") => {
      child.kill(signal);
      return Promise.race([exited, failAfter(STOP_TIMEOUT_MS, () => `the driver does not stop:\n${log()}`)]);
    };
    return {
      address: content.address,
      token,
      dataDir,
      instanceId: content.instanceId,
      pid: content.pid,
      process: child,
      log,
      stop,
      exited,
      [Symbol.asyncDispose]: async () => {
        if (child.exitCode === null && child.signalCode === null) await stop("SIGKILL");
        await cleanUp();
      },
    };
  } catch (error) {
    child.kill("SIGKILL");
    await exited;
    await cleanUp();
    throw error;
  }
}

/** Runs the driver's program with arguments to its end. */
export async function runMain(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Exit & { readonly stdout: string; readonly stderr: string }> {
  const { child, log, exited } = spawnDriver(args, env);
  let stdout = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  return { ...(await exited), stdout, stderr: log() };
}

/** Writes `profiles/<name>.toml` into a data directory. */
export async function writeProfile(dataDir: string, name: string, config: string): Promise<void> {
  const file = join(dataDir, "profiles", `${name}.toml`);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, config);
}

/** The driver's program, and the Node that runs it. */
export function driverCommand(): readonly string[] {
  return [existsSync(PINNED_NODE) ? PINNED_NODE : process.execPath, driverFile];
}

/** Runs `main.ts` with arguments, for what the other helpers do not watch. */
export function spawnDriver(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const [node = "", ...first] = driverCommand();
  const child = spawn(node, [...first, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...givenEnvironment(), HOME: process.env.HOME, ...env },
  });
  let text = "";
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  const exited: Promise<Exit> = once(child, "close").then(([code, signal]) => ({ code, signal }));
  return { child, log: () => text, exited };
}

interface AddressContent {
  readonly pid: number;
  readonly address: string;
  readonly tokenFile: string;
  readonly instanceId: string;
}

async function waitForAddress(file: string, pid: number | undefined): Promise<AddressContent> {
  const end = Date.now() + START_TIMEOUT_MS;
  while (Date.now() < end) {
    const text = await readFile(file, "utf8").catch(() => "");
    if (text !== "") {
      const content: AddressContent = JSON.parse(text);
      if (content.pid === pid) return content;
    }
    await delay(20);
  }
  throw new Error(`no address file of pid ${pid} at ${file}`);
}

async function failAfter(milliseconds: number, message: () => string): Promise<never> {
  await delay(milliseconds, undefined, { ref: false });
  throw new Error(message());
}
