import type { DatasetStore } from "../datasets/model.ts";
import type { ReadEngine } from "../engine/engine.ts";
import type { Operations } from "../operations/model.ts";
import type { Pool } from "../scheduling/model.ts";

/** What the service works with. */
export interface QueryServiceParts {
  readonly engine: ReadEngine;
  readonly datasets: DatasetStore;
  readonly operations: Operations;
  /** The readers' pool. */
  readonly pool: Pool;
  readonly limits: QueryLimits;
}

export interface QueryLimits {
  /** The most JSON bytes in the answer of `query`. */
  readonly maxAnswerBytes: number;
  /** The most JSON bytes in a page of raw rows, but for a single row that is larger. */
  readonly maxPageBytes: number;
}
