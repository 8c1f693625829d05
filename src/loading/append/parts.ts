import type { DatasetStore } from "../../datasets/model.ts";
import type { SegmentLimits } from "../../engine/file-scan.ts";
import type { Operations } from "../../operations/model.ts";
import type { Pool } from "../../scheduling/model.ts";
import type { WorkerPool } from "../workers/model.ts";

export interface AppendServiceParts {
  readonly datasets: DatasetStore;
  readonly operations: Operations;
  readonly workers: WorkerPool;
  /** Where merges wait their turn behind loads. */
  readonly pool: Pool;
  readonly limits: SegmentLimits;
  readonly onEvent: (event: AppendEvent) => void;
}

/** For logs and metrics. */
export type AppendEvent =
  | { readonly type: "flushed"; readonly dataset: string; readonly rows: number; readonly durationMs: number }
  | {
      readonly type: "merged";
      readonly dataset: string;
      readonly from: number;
      readonly into: number;
      readonly rows: number;
    }
  /** What was merged is not there any more: the dataset was replaced, or another process was faster. */
  | { readonly type: "mergeDropped"; readonly dataset: string }
  | { readonly type: "mergeFailed"; readonly dataset: string; readonly error: unknown };
