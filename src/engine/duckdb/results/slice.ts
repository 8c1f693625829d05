import type { DuckDBType } from "@duckdb/node-api";
import type { JsonValue } from "../../types.ts";
import { jsonReader } from "../json/json-reader.ts";
import { type Part, partBytes } from "../vectors/part.ts";

/** Rows `from` to `to` of a chunk that was copied out of the engine. */
export interface Slice {
  readonly columns: readonly Part[];
  readonly from: number;
  readonly to: number;
}

/** Bytes that a slice takes in Arrow, near enough to cut by. */
export function sliceBytes({ columns, from, to }: Slice): number {
  return columns.reduce((sum, part) => sum + partBytes(part, from, to), 0);
}

/** The rows of a slice as arrays of JSON values. */
export function sliceRows({ columns, from, to }: Slice, types: readonly DuckDBType[]): JsonValue[][] {
  const readers = columns.map((part, index) => jsonReader(types[index] as DuckDBType, part));
  return Array.from({ length: to - from }, (_, index) => readers.map((read) => read(from + index)));
}
