import { type FileHandle, open } from "node:fs/promises";
import { DriverError } from "../../../errors/driver-error.ts";
import { type KnownScan, MAX_LINE_BYTES } from "./csv-scan.ts";

const PIECE_BYTES = 64 * 1024;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** The engine passes over a file's last row, without a word, where it is longer than its buffers. Throws ROW_TOO_LONG. */
export async function requireShortLastRows({ paths, origins }: KnownScan, signal: AbortSignal): Promise<void> {
  // There may be thousands of them.
  const small = new Set(origins.filter(({ bytes }) => bytes <= MAX_LINE_BYTES).map(({ path }) => path));
  for (const path of paths) {
    if (small.has(path)) continue;
    signal.throwIfAborted();
    // What can't be read the engine tells.
    const file = await open(path).catch(() => undefined);
    if (file === undefined) continue;
    await using _ = file;
    if (!(await endsInLongRow(file))) continue;
    throw new DriverError("ROW_TOO_LONG", `${path}: its last row takes more than ${MAX_LINE_BYTES} bytes`, {
      metadata: { file: path },
    });
  }
}

/** Of compressed files nothing can be told so: their bytes have a line feed somewhere. */
async function endsInLongRow(file: FileHandle): Promise<boolean> {
  const { size } = await file.stat();
  const piece = Buffer.alloc(PIECE_BYTES);
  // Not the end of the row itself, of two bytes at most.
  for (let end = size - 2; size - end <= MAX_LINE_BYTES; end -= PIECE_BYTES) {
    const start = Math.max(0, end - PIECE_BYTES);
    const { bytesRead } = await file.read(piece, 0, Math.max(0, end - start), start);
    const read = piece.subarray(0, bytesRead);
    if (start === 0 || read.includes(LINE_FEED) || read.includes(CARRIAGE_RETURN)) return false;
  }
  return true;
}
