import type { DatasetStore } from "../datasets/model.ts";
import type { ReadEngine } from "../engine/engine.ts";
import type { Operations } from "../operations/model.ts";
import type { Pool } from "../scheduling/model.ts";
import type { LoadFinder } from "./await-load.ts";
import type { FreshDatasets } from "./make-fresh.ts";
import type { ReattachLimits, ReattachOutcome } from "./reattachable-queries.ts";

/** What the service works with. */
export interface QueryServiceParts {
  readonly engine: ReadEngine;
  readonly datasets: DatasetStore;
  readonly operations: Operations;
  /** The readers' pool. */
  readonly pool: Pool;
  /** Left out: nothing is waited for. */
  readonly loads?: LoadFinder;
  /** Left out: every version is young enough. */
  readonly fresh?: FreshDatasets;
  readonly limits: QueryLimits;
  /** Called when a reader comes back to a query. */
  readonly onReattach?: (outcome: ReattachOutcome) => void;
}

export interface QueryLimits extends ReattachLimits {
  /** The most JSON bytes in the answer of `query`. */
  readonly maxAnswerBytes: number;
  /** The most JSON bytes in a page of raw rows, but for a single row that is larger. */
  readonly maxPageBytes: number;
}
