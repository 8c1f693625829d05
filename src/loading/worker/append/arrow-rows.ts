import { type Data, type RecordBatch, RecordBatchReader, type Schema } from "apache-arrow";
import { DriverError } from "../../../errors/driver-error.ts";
import type { SourceValue } from "../../../sources/connector.ts";
import { encodeBatch } from "../../../sources/exchange/encode-batch.ts";
import { arrowJson, arrowScalar, unsupportedArrow } from "./arrow-values.ts";
import { type EncodedRows, hasMoreDigits } from "./json-rows.ts";
import { misfit, unknownColumn } from "./row-error.ts";
import type { RowColumn, RowShape } from "./row-shape.ts";

/** Makes text of the exchange dialect from an Arrow IPC stream. Throws MALFORMED_ARROW, UNKNOWN_COLUMN, LOAD_TYPE_MISMATCH. */
export function encodeArrowRows(stream: Uint8Array, shape: RowShape): EncodedRows {
  const texts: Uint8Array[] = [];
  let rows = 0;
  try {
    const reader = RecordBatchReader.from(stream).open();
    const places = placesOf(reader.schema, shape);
    for (const batch of reader) {
      texts.push(encodeBatch({ rows: batch.numRows, columns: columnsOf(batch, places, shape, rows) }));
      rows += batch.numRows;
    }
  } catch (error) {
    throw error instanceof DriverError ? error : malformed(error);
  }
  // Values have many forms, and few of them are worth the look.
  return { text: Buffer.concat(texts), rows, sure: shape.columns.map(({ sure }) => sure === "any") };
}

/** Where each column of the dataset stands in the schema. */
function placesOf(schema: Schema, { columns, firstRow }: RowShape): ReadonlyMap<number, number> {
  const byName = new Map(columns.map(({ name }, at) => [name, at]));
  const places = new Map<number, number>();
  for (const [index, { name }] of schema.fields.entries()) {
    const at = byName.get(name);
    if (at === undefined) throw unknownColumn(firstRow, name);
    if (places.has(at)) throw malformed(`two fields are named ${JSON.stringify(name)}`);
    places.set(at, index);
  }
  return places;
}

function columnsOf(
  batch: RecordBatch,
  places: ReadonlyMap<number, number>,
  { columns, firstRow }: RowShape,
  rowsBefore: number,
): readonly (readonly SourceValue[])[] {
  return columns.map((column, at) => {
    const place = places.get(at);
    const data: Data | undefined = place === undefined ? undefined : batch.data.children[place];
    const values = new Array<SourceValue>(batch.numRows).fill(null);
    if (data === undefined) return values;
    const read = readerOf(data, column);
    for (let row = 0; row < batch.numRows; row++) {
      const value = read(row);
      values[row] = value;
      if (!fits(value, column)) throw misfit(firstRow + rowsBefore + row, column, String(value));
    }
    return values;
  });
}

function readerOf(data: Data, column: RowColumn): (row: number) => SourceValue {
  const { name, encoding } = column;
  if (encoding !== "json") {
    const read = arrowScalar(data);
    if (read === undefined) throw unsupportedArrow(data.type, name);
    return read;
  }
  const read = arrowJson(data);
  if (read === undefined) throw unsupportedArrow(data.type, name);
  return (row) => {
    const value = read(row);
    return value === null ? null : JSON.stringify(value);
  };
}

/** What the engine would not refuse: bytes for text, digits that it would round off. */
function fits(value: SourceValue, { encoding, scale }: RowColumn): boolean {
  if (value === null) return true;
  if ((encoding === "hex") !== value instanceof Uint8Array) return false;
  return scale === undefined || !hasMoreDigits(String(value), scale);
}

function malformed(cause: unknown): DriverError {
  const message = cause instanceof Error ? cause.message : String(cause);
  return new DriverError("MALFORMED_ARROW", `the rows are no Arrow IPC stream: ${message}`, { cause });
}
