import type { Column, JsonValue } from "../engine/types.ts";
import type { OperationProgress } from "../operations/model.ts";

/** How a result travels: encapsulated Arrow IPC messages, or rows of JSON values. */
export type ResultFormat = "arrow" | "rows";

/** One event in the life of a query, in this order: accepted, progress, frames (start, batches, end), completed. */
export type QueryEvent =
  | { readonly type: "accepted"; readonly operationId: string }
  | { readonly type: "progress"; readonly progress: OperationProgress }
  | FrameStart
  | FrameBatch
  | { readonly type: "frameEnd"; readonly frameId: number; readonly rows: number }
  | { readonly type: "completed"; readonly completion: QueryCompletion };

/** In a reattachable query all events but progress are counted from 1. */
export type NumberedEvent = QueryEvent & { readonly eventId?: number };

export interface FrameStart {
  readonly type: "frameStart";
  readonly frameId: number;
  readonly exact: boolean;
  readonly columns: readonly Column[];
  /** The IPC schema message, with the format `arrow`. */
  readonly arrowSchema?: Uint8Array;
}

/** One of `arrow` and `rows`, as the format says. */
export interface FrameBatch {
  readonly type: "frameBatch";
  readonly frameId: number;
  readonly seq: number;
  readonly arrow?: Uint8Array;
  readonly rows?: readonly (readonly JsonValue[])[];
}

/** What a query that succeeded took. */
export interface QueryCompletion {
  /** Rows of the last frame. */
  readonly rows: number;
  readonly timings: QueryTimings;
  /** Rows of the versions that were read, before any filter; a version that is read twice counts twice. */
  readonly rowsScanned: number;
  /** An estimate: the stored bytes of the versions read times the share of their columns that was read. */
  readonly bytesScanned: number;
  /** The versions that were read, by dataset. */
  readonly versions: Readonly<Record<string, number>>;
}

export interface QueryTimings {
  readonly queuedMs: number;
  readonly plannedMs: number;
  /** Until the last row was fetched, waits for a slow reader included. */
  readonly executedMs: number;
  readonly encodedMs: number;
}
