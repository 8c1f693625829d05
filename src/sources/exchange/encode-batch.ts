import type { ColumnBatch, SourceValue } from "../connector.ts";

const NEEDS_QUOTES = /[",\r\n]/;

/** A batch as text of the exchange dialect. Bytes become hexadecimal digits, for columns whose encoding is `hex`. */
export function encodeBatch({ rows, columns }: ColumnBatch): Buffer {
  let text = "";
  for (let row = 0; row < rows; row++) {
    for (let at = 0; at < columns.length; at++) {
      if (at > 0) text += ",";
      text += encodeField(columns[at]?.[row] ?? null);
    }
    text += "\n";
  }
  return Buffer.from(text);
}

function encodeField(value: SourceValue): string {
  if (value === null) return "";
  if (typeof value === "string")
    return value === "" || NEEDS_QUOTES.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
  if (value instanceof Uint8Array)
    return value.length === 0 ? '""' : Buffer.from(value.buffer, value.byteOffset, value.length).toString("hex");
  // Code of packages comes without its types.
  if (typeof value === "object" || typeof value === "function")
    throw new TypeError("a value is neither text, number, boolean nor bytes");
  return String(value);
}
