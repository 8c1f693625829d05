import { constants } from "node:fs";
import { type FileHandle, open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import { DroverError } from "../../../node/src/index.ts";
import type { Act, Context } from "../context.ts";
import { counted } from "../options.ts";
import { printable } from "../render/cell.ts";

interface LogsFlags {
  readonly lines: number;
  readonly follow?: boolean;
  readonly path?: boolean;
}

/** https://grpc.io/docs/guides/status-codes/ */
const UNAVAILABLE = 14;
const chunkBytes = 64 * 1024;
const followEveryMs = 200;

/** `drover logs` */
export function registerLogs(program: Command, act: Act): void {
  program
    .command("logs")
    .description("show the log of the profile's driver that was started last, also when it failed or has ended")
    .addOption(counted("-n, --lines <N>", "at most so many lines from the end").default(100))
    .option("-f, --follow", "go on until Ctrl-C")
    .option("--path", "print the log's path only")
    .action(act(logs));
}

async function logs(context: Context, { lines, follow, path }: LogsFlags): Promise<void> {
  const { globals, output, interrupts } = context;
  const file = await latestLog(join(globals.dataDir, "logs", globals.profile));
  if (path) return globals.json ? output.document({ path: file }) : output.write(`${file}\n`);
  // What a program wrote there must not steer the terminal that it is shown on.
  const lineWriter = new LineWriter((line) =>
    globals.json ? output.event({ event: "line", line: parsed(line) }) : output.write(`${printable(line)}\n`),
  );
  const write = (bytes: Uint8Array) => (globals.json || output.isTty ? lineWriter.write(bytes) : output.write(bytes));
  await using log = await open(file, constants.O_RDONLY);
  let position = await printTail(log, lines, write);
  while (follow && !interrupts.signal.aborted) {
    const { size } = await log.stat();
    // It was put aside because of its size, and begins anew.
    if (size < position) position = 0;
    position = await copy(log, position, size, write);
    await sleep(followEveryMs, undefined, { signal: interrupts.signal }).catch(() => undefined);
  }
  await lineWriter.end();
}

/** Names begin with the time. */
async function latestLog(folder: string): Promise<string> {
  const names = await readdir(folder).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT" || cause.code === "ENOTDIR") return [];
    const message = `the folder of logs can't be read: ${cause.message}`;
    throw new DroverError({ reason: "DRIVER_NOT_FOUND", message, code: UNAVAILABLE, cause });
  });
  const latest = names
    .filter((name) => name.endsWith(".log"))
    .sort()
    .at(-1);
  if (latest !== undefined) return join(folder, latest);
  const message = `no driver of this profile was started by a client: ${folder} holds no log`;
  throw new DroverError({ reason: "DRIVER_NOT_FOUND", message, code: UNAVAILABLE, retryable: true });
}

/** Prints the last lines; answers the position after them. */
async function printTail(log: FileHandle, lines: number, write: (bytes: Uint8Array) => Promise<void>): Promise<number> {
  const { size } = await log.stat();
  return copy(log, await startOfTail(log, size, lines), size, write);
}

async function startOfTail(log: FileHandle, size: number, lines: number): Promise<number> {
  if (lines === 0) return size;
  let newlines = 0;
  for (let end = size; end > 0; end -= chunkBytes) {
    const start = Math.max(0, end - chunkBytes);
    const { buffer, bytesRead } = await log.read(Buffer.alloc(end - start), 0, end - start, start);
    for (let at = bytesRead - 1; at >= 0; at--) {
      // The last byte's line feed ends the last line and begins none.
      if (buffer[at] === 10 && start + at !== size - 1 && ++newlines === lines) return start + at + 1;
    }
  }
  return 0;
}

/** Passes text on by line. */
class LineWriter {
  readonly #write: (line: string) => Promise<void>;
  readonly #decoder = new TextDecoder();
  #rest = "";

  constructor(write: (line: string) => Promise<void>) {
    this.#write = write;
  }

  async write(bytes: Uint8Array): Promise<void> {
    const lines = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) await this.#write(line);
  }

  async end(): Promise<void> {
    if (this.#rest !== "") await this.#write(this.#rest);
  }
}

/** What the driver logs is an object; what else it writes is text. */
function parsed(line: string): unknown {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? value : line;
  } catch {
    return line;
  }
}

async function copy(
  log: FileHandle,
  from: number,
  to: number,
  write: (bytes: Uint8Array) => Promise<void>,
): Promise<number> {
  let position = from;
  while (position < to) {
    const { buffer, bytesRead } = await log.read(
      Buffer.alloc(chunkBytes),
      0,
      Math.min(chunkBytes, to - position),
      position,
    );
    if (bytesRead === 0) break;
    await write(buffer.subarray(0, bytesRead));
    position += bytesRead;
  }
  return position;
}
