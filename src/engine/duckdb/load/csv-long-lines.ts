import { createReadStream } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { DriverError } from "../../../errors/driver-error.ts";
import { isCompressed } from "../../byte-stream.ts";
import type { FileScan } from "../../file-scan.ts";
import { MAX_ROW_BYTES } from "../../text/row-limit.ts";
import type { KnownScan } from "./csv-scan.ts";

const PIECE_BYTES = 64 * 1024;

/**
 * The engine passes without a word over a line that is longer than its buffers where it is a file's last one, and anywhere
 * where bad rows are skipped. Throws ROW_TOO_LONG; of compressed files `longLineWatch` does. A line that is so long holds at least
 * one of the pieces that are read here.
 */
export async function requireShortLines(scan: KnownScan, signal: AbortSignal): Promise<void> {
  // There may be thousands of them.
  const small = new Set(scan.origins.filter(({ bytes }) => bytes <= MAX_ROW_BYTES).map(({ path }) => path));
  for (const path of scan.paths) {
    if (small.has(path) || isCompressed(path)) continue;
    // What can't be read the engine tells.
    const file = await open(path).catch(() => undefined);
    if (file === undefined) continue;
    await using _ = file;
    if (await hasLongLine(file, path, scan, signal)) throw tooLong(path);
  }
}

/** Looks at the chunks of compressed files while they pass by. Throws ROW_TOO_LONG. */
export function longLineWatch(scan: FileScan): (path: string) => (chunk: Buffer) => void {
  return (path) => {
    const line = new OpenLine(lineEndOf(scan));
    return (chunk) => {
      if (line.push(chunk)) throw tooLong(path);
    };
  };
}

async function hasLongLine(file: FileHandle, path: string, scan: KnownScan, signal: AbortSignal): Promise<boolean> {
  const { size } = await file.stat();
  const piece = Buffer.alloc(PIECE_BYTES);
  // Not the end of the row itself, of two bytes at most.
  const last = Math.max(0, size - 2 - PIECE_BYTES);
  const first = scan.badRows.policy === "skip" ? MAX_ROW_BYTES : last;
  for (let at = Math.min(first, last); ; at = Math.min(at + MAX_ROW_BYTES, last)) {
    signal.throwIfAborted();
    const { bytesRead } = await file.read(piece, 0, PIECE_BYTES, at);
    const hasEnd = piece.subarray(0, bytesRead).includes(lineEndOf(scan));
    if (!hasEnd && (await isLongAround(path, at, lineEndOf(scan)))) return true;
    if (at === last) return false;
  }
}

/** Whether the line that covers a piece is too long. */
async function isLongAround(path: string, at: number, lineEnd: number): Promise<boolean> {
  const line = new OpenLine(lineEnd);
  const start = Math.max(0, at - MAX_ROW_BYTES - 1);
  for await (const chunk of createReadStream(path, { start, end: at + PIECE_BYTES + MAX_ROW_BYTES }))
    if (line.push(chunk)) return true;
  return false;
}

/** How long the present line is so far. */
class OpenLine {
  readonly #lineEnd: number;
  #bytes = 0;

  constructor(lineEnd: number) {
    this.#lineEnd = lineEnd;
  }

  /** Whether a line has become too long. */
  push(chunk: Buffer): boolean {
    const end = chunk.indexOf(this.#lineEnd);
    const isLong = this.#bytes + (end < 0 ? chunk.length : end) > MAX_ROW_BYTES;
    // No chunk is longer than a line may be.
    this.#bytes = end < 0 ? this.#bytes + chunk.length : chunk.length - chunk.lastIndexOf(this.#lineEnd) - 1;
    return isLong;
  }
}

function lineEndOf({ csv }: FileScan): number {
  return csv?.newline === "\r" ? 0x0d : 0x0a;
}

function tooLong(path: string): DriverError {
  return new DriverError("ROW_TOO_LONG", `${path}: a row takes more than ${MAX_ROW_BYTES} bytes`, {
    metadata: { file: path },
  });
}
