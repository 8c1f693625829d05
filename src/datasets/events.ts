import type { DriverError } from "../errors/driver-error.ts";

/** Why a version left memory. */
export type EvictionReason = "budget" | "idle" | "superseded" | "removed" | "requested" | "level";

/** What happens to datasets apart from calls, for logs and metrics. A `step` is a version of which a stream of appends makes several a second. */
export type DatasetEvent =
  | { readonly type: "published"; readonly dataset: string; readonly version: number; readonly step?: true }
  | { readonly type: "dropped"; readonly dataset: string }
  | {
      readonly type: "resident";
      readonly dataset: string;
      readonly version: number;
      readonly bytes: number;
      readonly durationMs: number;
    }
  | {
      readonly type: "evicted";
      readonly dataset: string;
      readonly version: number;
      readonly bytes: number;
      readonly reason: EvictionReason;
    }
  | {
      readonly type: "pinRefused";
      readonly dataset: string;
      readonly version: number;
      readonly error: DriverError;
    }
  | {
      readonly type: "residencyFailed";
      readonly dataset: string;
      readonly version: number;
      readonly error: DriverError;
    }
  | {
      readonly type: "removed";
      readonly dataset: string;
      readonly version: number;
      readonly reason: "retention" | "deleted";
      readonly step?: true;
    }
  | { readonly type: "damaged"; readonly dataset: string; readonly version: number; readonly error: DriverError }
  | { readonly type: "stagingRemoved"; readonly owner: string }
  | { readonly type: "cleanupFailed"; readonly error: DriverError };

export type DatasetEventListener = (event: DatasetEvent) => void;
