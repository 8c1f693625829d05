import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { chunksOf } from "../../engine/byte-stream.ts";
import { plainName, type TranscodeContext } from "../transcode.ts";

/** A double keeps this many significant digits of any decimal number. */
const SAFE_DIGITS = 15;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * The engine's JSON reader makes a double of every number with a fraction and drops what does not fit. Files that hold
 * longer numbers are copied with those numbers in quotes, so that their text survives; most files hold none, which is
 * told at some GB/s.
 */
export async function quoteLongNumbers(
  paths: readonly string[],
  context: TranscodeContext,
): Promise<readonly string[]> {
  const result: string[] = [];
  for (const [index, path] of paths.entries()) {
    if (!(await mayHoldLongNumbers(path, context.signal))) {
      result.push(path);
      continue;
    }
    const target = join(context.workDirectory, `exact-${index}-${plainName(path)}`);
    await pipeline(quoted(path, context.signal), createWriteStream(target, { flags: "wx", mode: 0o600 }), {
      signal: context.signal,
    });
    result.push(target);
  }
  return result;
}

/** Looks at every 16th byte: a run of 16 digits and points covers one of them. */
async function mayHoldLongNumbers(path: string, signal: AbortSignal): Promise<boolean> {
  const run = SAFE_DIGITS + 1;
  let carried = Buffer.alloc(0);
  for await (const chunk of chunksOf(path, { signal })) {
    const bytes = Buffer.concat([carried, chunk]);
    for (let at = run - 1; at < bytes.length; at += run) {
      if (!isDigitOrPoint(bytes[at])) continue;
      let start = at;
      let end = at + 1;
      while (start > 0 && isDigitOrPoint(bytes[start - 1])) start--;
      while (end < bytes.length && isDigitOrPoint(bytes[end])) end++;
      if (end - start >= run) return true;
    }
    carried = bytes.subarray(Math.max(0, bytes.length - 2 * run));
  }
  return false;
}

function isDigitOrPoint(byte: number | undefined): boolean {
  return byte !== undefined && ((byte >= 0x30 && byte <= 0x39) || byte === 0x2e);
}

function isNumberByte(byte: number): boolean {
  return (
    (byte >= 0x30 && byte <= 0x39) || byte === 0x2e || byte === 0x2d || byte === 0x2b || byte === 0x65 || byte === 0x45
  );
}

/** Copies JSON text; numbers outside of strings that have too many digits get quotes around them. */
async function* quoted(path: string, signal: AbortSignal): AsyncGenerator<Buffer> {
  let inString = false;
  let escaped = false;
  let number: Buffer = Buffer.alloc(0);
  for await (const chunk of chunksOf(path, { signal })) {
    const parts: Buffer[] = [];
    let copied = 0;
    // Where a number began in this chunk; -1 outside of one. What earlier chunks had of it is in `number`.
    let start = number.length > 0 ? 0 : -1;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at] ?? 0;
      if (start >= 0) {
        if (isNumberByte(byte)) continue;
        parts.push(chunk.subarray(copied, start), safely(Buffer.concat([number, chunk.subarray(start, at)])));
        number = Buffer.alloc(0);
        copied = at;
        start = -1;
      }
      if (inString) {
        if (escaped) escaped = false;
        else if (byte === BACKSLASH) escaped = true;
        else if (byte === QUOTE) inString = false;
      } else if (byte === QUOTE) inString = true;
      else if (byte === 0x2d || (byte >= 0x30 && byte <= 0x39)) start = at;
    }
    if (start >= 0) {
      parts.push(chunk.subarray(copied, start));
      number = Buffer.concat([number, chunk.subarray(start)]);
    } else parts.push(chunk.subarray(copied));
    yield Buffer.concat(parts);
  }
  if (number.length > 0) yield safely(number);
}

function safely(number: Buffer): Buffer {
  if (number.length <= SAFE_DIGITS) return number;
  const text = number.toString("latin1");
  const digits = text
    .replace(/[eE].*$/, "")
    .replace(/[^0-9]/g, "")
    .replace(/^0+|0+$/g, "");
  return digits.length > SAFE_DIGITS ? Buffer.from(`"${text}"`, "latin1") : number;
}
