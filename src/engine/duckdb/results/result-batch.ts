import type { DuckDBType } from "@duckdb/node-api";
import type { ResultBatch } from "../../engine.ts";
import type { JsonValue } from "../../types.ts";
import { encodeRecordBatch } from "../arrow/record-batch.ts";
import { type Slice, sliceRows } from "./slice.ts";

/** Rows that were copied out of the engine; they stay valid for as long as the batch is held. */
export class CopiedBatch implements ResultBatch {
  readonly rows: number;
  readonly #slices: readonly Slice[];
  readonly #types: readonly DuckDBType[];

  constructor(slices: readonly Slice[], types: readonly DuckDBType[]) {
    this.#slices = slices;
    this.#types = types;
    this.rows = slices.reduce((sum, { from, to }) => sum + to - from, 0);
  }

  toArrow(): Uint8Array {
    return encodeRecordBatch(this.#slices, this.#types);
  }

  toRows(): readonly (readonly JsonValue[])[] {
    return this.#slices.flatMap((slice) => sliceRows(slice, this.#types));
  }
}
