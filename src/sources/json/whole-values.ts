import { readFile, writeFile } from "node:fs/promises";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN = new Set([0x5b, 0x7b]);
const CLOSE = new Set([0x5d, 0x7d]);

/** Makes JSON of the beginning of a JSON text: what follows its last whole record is left out, and an array is closed. */
export async function keepWholeValues(path: string): Promise<void> {
  const bytes = await readFile(path);
  const array = /^\s*\[/.test(
    bytes
      .subarray(0, 1_000)
      .toString("utf8")
      .replace(/^\uFEFF/, ""),
  );
  const end = lastRecordEnd(bytes, array ? 1 : 0);
  if (end > 0) await writeFile(path, Buffer.concat([bytes.subarray(0, end), Buffer.from(array ? "]" : "\n")]));
}

/** Just behind the last object or array that is whole at a depth; 0 where there is none. */
function lastRecordEnd(bytes: Buffer, wanted: number): number {
  let depth = 0;
  let end = 0;
  let inString = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    if (inString) {
      if (byte === BACKSLASH) at++;
      else if (byte === QUOTE) inString = false;
    } else if (byte === QUOTE) inString = true;
    else if (OPEN.has(byte)) depth++;
    else if (CLOSE.has(byte)) {
      depth--;
      if (depth === wanted) end = at + 1;
      if (depth < wanted) return end;
    }
  }
  return end;
}
