import { writeFile } from "node:fs/promises";
import iconv from "iconv-lite";

export interface FieldSpec {
  readonly name: string;
  readonly type: string;
  readonly length: number;
  readonly decimals?: number;
}

export interface TableSpec {
  readonly fields: readonly FieldSpec[];
  /** Texts as they stand in the record, or bytes; `deleted` marks a record. */
  readonly records: readonly { readonly values: readonly (string | Buffer)[]; readonly deleted?: boolean }[];
  /** The mark of the code page, and the code page itself. */
  readonly mark?: number;
  readonly encoding?: string;
}

/** Writes a table as dBASE III does. */
export async function writeTable(
  path: string,
  { fields, records, mark = 0, encoding = "latin1" }: TableSpec,
): Promise<void> {
  const recordBytes = 1 + fields.reduce((sum, { length }) => sum + length, 0);
  const header = Buffer.alloc(32 + fields.length * 32 + 1);
  header.writeUInt8(0x03, 0);
  header.writeUInt32LE(records.length, 4);
  header.writeUInt16LE(header.length, 8);
  header.writeUInt16LE(recordBytes, 10);
  header.writeUInt8(mark, 29);
  for (const [index, { name, type, length, decimals = 0 }] of fields.entries()) {
    const at = 32 + index * 32;
    header.write(name, at, "latin1");
    header.write(type, at + 11, "latin1");
    header.writeUInt8(length, at + 16);
    header.writeUInt8(decimals, at + 17);
  }
  header.writeUInt8(0x0d, header.length - 1);
  const rows = records.map(({ values, deleted }) => {
    const cells = fields.map(({ type, length }, index) => {
      const value = values[index] ?? "";
      const bytes = typeof value === "string" ? iconv.encode(value, encoding) : value;
      const padding = Buffer.alloc(Math.max(0, length - bytes.length), " ");
      // Numbers stand at the right end of their field.
      return type === "N" || type === "F" ? Buffer.concat([padding, bytes]) : Buffer.concat([bytes, padding]);
    });
    return Buffer.concat([Buffer.from(deleted ? "*" : " "), ...cells]);
  });
  await writeFile(path, Buffer.concat([header, ...rows, Buffer.from([0x1a])]));
}
