import type { FileHandle } from "node:fs/promises";
import { ConnectorError, type SourceColumn } from "@drover/connector";

/** A field of each record, as the file describes it. */
export interface Field {
  readonly name: string;
  /** `C`, `N`, `D`, … */
  readonly type: string;
  /** Where it begins in a record. */
  readonly at: number;
  readonly length: number;
  readonly decimals: number;
}

/** What stands before the records. */
export interface Header {
  readonly version: number;
  readonly records: number;
  readonly headerBytes: number;
  readonly recordBytes: number;
  /** The mark of the code page; 0 where there is none. */
  readonly codePage: number;
  readonly fields: readonly Field[];
}

const PRELUDE_BYTES = 32;
const END_OF_FIELDS = 0x0d;
const MEMO_TYPES = new Set(["M", "G", "P"]);

/** Reads and checks what stands before the records. `name` is what people call the file. */
export async function readHeader(file: FileHandle, name: string): Promise<Header> {
  const malformed = (why: string) =>
    new ConnectorError("MALFORMED_SOURCE", `${name} is no dBASE table: ${why}`, { file: name });
  const prelude = await bytesAt(file, 0, PRELUDE_BYTES);
  if (prelude.length === 0) throw new ConnectorError("EMPTY_SOURCE", `${name} is empty`, { file: name });
  if (prelude.length < PRELUDE_BYTES) throw malformed("it ends in its header");
  const headerBytes = prelude.readUInt16LE(8);
  const recordBytes = prelude.readUInt16LE(10);
  if (headerBytes <= PRELUDE_BYTES || recordBytes < 2) throw malformed("its header has impossible lengths");
  const described = await bytesAt(file, PRELUDE_BYTES, headerBytes - PRELUDE_BYTES);
  if (described.length < headerBytes - PRELUDE_BYTES) throw malformed("it ends in its header");
  const fields = fieldsOf(described);
  const end = fields.at(-1);
  if (end === undefined || end.at + end.length > recordBytes) throw malformed("its fields do not fit its records");
  return {
    version: prelude.readUInt8(0) & 0x07,
    records: prelude.readUInt32LE(4),
    ...{ headerBytes, recordBytes, fields },
    codePage: prelude.readUInt8(29),
  };
}

async function bytesAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
}

function fieldsOf(described: Buffer): readonly Field[] {
  const fields: Field[] = [];
  // The first byte of a record says whether it was deleted.
  let recordAt = 1;
  for (let at = 0; at + 32 <= described.length && described[at] !== END_OF_FIELDS; at += 32) {
    const name = described
      .toString("latin1", at, at + 11)
      .replace(/\0.*$/s, "")
      .trim();
    const type = String.fromCharCode(described.readUInt8(at + 11));
    const length = described.readUInt8(at + 16);
    fields.push({ name, type, at: recordAt, length, decimals: described.readUInt8(at + 17) });
    recordAt += length;
  }
  return fields;
}

/** Whether a field's value stands in the record itself, and not in a file of its own. */
export function isInRecord({ type }: Field): boolean {
  return !MEMO_TYPES.has(type);
}

/** The column that a field becomes. */
export function columnOf({ name, type, length, decimals }: Field): SourceColumn {
  switch (type) {
    case "D":
      return { name, type: "DATE" };
    case "L":
      return { name, type: "BOOLEAN" };
    case "I":
      return { name, type: "INTEGER" };
    case "B":
    case "O":
    case "F":
      return { name, type: "DOUBLE" };
    case "N":
      // A value may fill its field without a point.
      if (decimals === 0) return { name, type: length <= 18 ? "BIGINT" : "DECIMAL(38,0)" };
      return { name, type: `DECIMAL(${Math.min(38, length + decimals)},${Math.min(decimals, 37)})` };
    default:
      return { name, type: "VARCHAR" };
  }
}
