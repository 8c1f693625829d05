import type { FileHandle } from "node:fs/promises";
import type { ColumnBatch, SourceValue } from "@drover/connector";
import type { Decode } from "./code-pages.ts";
import type { Field, Header } from "./header.ts";

const BATCH_BYTES = 256 * 1024;
const DELETED = 0x2a;

/** A part of a file's records. */
export interface RecordRange {
  readonly first: number;
  readonly count: number;
}

export interface ReadOptions {
  readonly header: Header;
  readonly fields: readonly Field[];
  readonly decode: Decode;
  readonly deleted: boolean;
  readonly signal: AbortSignal;
}

/** A batch for every quarter of a megabyte, so that no more than that is held. Deleted records are left out unless they are wanted. */
export async function* readRecords(
  file: FileHandle,
  { first, count }: RecordRange,
  { header, fields, decode, deleted, signal }: ReadOptions,
): AsyncGenerator<ColumnBatch> {
  const { headerBytes, recordBytes } = header;
  const atOnce = Math.max(1, Math.floor(BATCH_BYTES / recordBytes));
  const buffer = Buffer.alloc(atOnce * recordBytes);
  for (let done = 0; done < count; done += atOnce) {
    signal.throwIfAborted();
    const wanted = Math.min(atOnce, count - done);
    const position = headerBytes + (first + done) * recordBytes;
    const { bytesRead } = await file.read(buffer, 0, wanted * recordBytes, position);
    const records = Array.from({ length: Math.floor(bytesRead / recordBytes) }, (_, at) => at * recordBytes);
    const kept = deleted ? records : records.filter((at) => buffer[at] !== DELETED);
    const columns = fields.map((field) => {
      const read = readerOf(field, decode);
      return kept.map((at) => read(buffer.subarray(at + field.at, at + field.at + field.length)));
    });
    yield { rows: kept.length, columns };
  }
}

type Read = (bytes: Buffer) => SourceValue;

/** What makes a value of a field's bytes. The engine casts texts to the column's type. */
function readerOf({ type }: Field, decode: Decode): Read {
  switch (type) {
    case "D":
      return (bytes) => /^(\d{4})(\d\d)(\d\d)$/.exec(ascii(bytes))?.slice(1).join("-") ?? null;
    case "L":
      return (bytes) => logical(ascii(bytes));
    case "I":
      return (bytes) => bytes.readInt32LE(0);
    case "B":
    case "O":
      return (bytes) => bytes.readDoubleLE(0);
    case "N":
    case "F":
      // Stars stand where a number did not fit when it was written.
      return (bytes) => ascii(bytes).replace(/^\*+$/, "") || null;
    default:
      return (bytes) => decode(bytes).replace(/[\0 ]+$/, "") || null;
  }
}

function ascii(bytes: Buffer): string {
  return bytes.toString("latin1").replaceAll("\0", "").trim();
}

function logical(text: string): boolean | null {
  if (/^[TtYy]$/.test(text)) return true;
  return /^[FfNn]$/.test(text) ? false : null;
}
