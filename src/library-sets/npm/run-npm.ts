import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setPriority } from "node:os";
import { createInterface } from "node:readline";
import { DriverError } from "../../errors/driver-error.ts";
import { npmProgram } from "./npm-program.ts";

export interface NpmOptions {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
  /** Told of each line of npm's log. */
  readonly onLine?: (line: string) => void;
}

/** How a run of npm ended. */
export interface NpmEnd {
  readonly code: number | undefined;
  /** What ended it from outside. */
  readonly signal: NodeJS.Signals | undefined;
  /** What it wrote to standard output. */
  readonly output: string;
  /** The end of its log. */
  readonly log: string;
}

/** npm's answer lists every package; its log is looked at line by line. */
const MAX_OUTPUT_BYTES = 16 * 2 ** 20;
const MAX_LOG_LINES = 100;
const MAX_LINE = 2_000;
const NICENESS = 10;
/** Larger sets than that are none of a driver's; npm took 150 MB for 500 packages. */
const MAX_HEAP_MB = 1_024;

/**
 * Loaded before npm: ends it, with all that it has started, when the driver is gone, however that came about. The channel to the driver
 * closes then; it must not keep npm alive.
 */
const LEASH = `data:text/javascript,${encodeURIComponent(
  `process.once("disconnect",()=>{try{process.kill(-process.pid,"SIGKILL")}catch{process.kill(process.pid,"SIGKILL")}});process.channel?.unref();`,
)}`;

/** Runs npm in a folder. Throws the signal's reason once npm and what it has started are gone. */
export async function runNpm(args: readonly string[], options: NpmOptions): Promise<NpmEnd> {
  const { cwd, env, signal } = options;
  signal.throwIfAborted();
  const program = [`--max-old-space-size=${MAX_HEAP_MB}`, "--import", LEASH, npmProgram(), ...args];
  // A group of its own, so that scripts of packages end with it.
  const child = spawn(process.execPath, program, {
    cwd,
    env,
    detached: true,
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  const kill = () => killGroup(child);
  signal.addEventListener("abort", kill, { once: true });
  try {
    const log: string[] = [];
    const reading = Promise.all([outputOf(child), readLog(child, log, options)]);
    const [code, ended] = (await once(child, "exit")) as [number | null, NodeJS.Signals | null];
    // What it has started may hold its output open.
    killGroup(child);
    const [output] = await reading;
    signal.throwIfAborted();
    return { code: code ?? undefined, signal: ended ?? undefined, output, log: log.join("\n") };
  } catch (error) {
    signal.throwIfAborted();
    throw new DriverError("INSTALL_FAILED", "npm could not be run", { cause: error });
  } finally {
    signal.removeEventListener("abort", kill);
    if (child.connected) child.disconnect();
  }
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}

async function outputOf(child: ChildProcess): Promise<string> {
  if (child.pid !== undefined) lower(child.pid);
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of child.stdout ?? []) {
    bytes += piece.length;
    if (bytes <= MAX_OUTPUT_BYTES) pieces.push(piece);
  }
  return Buffer.concat(pieces).toString("utf8");
}

/** Whoever waits for answers comes first. */
function lower(pid: number): void {
  try {
    setPriority(pid, NICENESS);
  } catch {
    // It has ended, or the system does not have it.
  }
}

async function readLog(child: ChildProcess, log: string[], { onLine }: NpmOptions): Promise<void> {
  if (child.stderr === null) return;
  for await (const line of createInterface({ input: child.stderr })) {
    onLine?.(line);
    log.push(line.slice(0, MAX_LINE));
    if (log.length > MAX_LOG_LINES) log.shift();
  }
}
