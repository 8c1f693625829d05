import type { Column, Progress, QuerySummary } from "../model.ts";
import type { Rows } from "../rows.ts";

/** The query has begun. */
export interface AcceptedEvent {
  readonly type: "accepted";
  readonly operationId: string;
}

/** How far the query is. */
export interface ProgressEvent {
  readonly type: "progress";
  readonly progress: Progress;
}

/** A whole result. It replaces the one before; the last one is exact. */
export interface FrameEvent {
  readonly type: "frame";
  readonly frame: Frame;
}

/** The query has succeeded. */
export interface CompletedEvent {
  readonly type: "completed";
  readonly summary: QuerySummary;
}

/** What `for await (const event of query)` gives. */
export type QueryEvent = AcceptedEvent | ProgressEvent | FrameEvent | CompletedEvent;

/** A frame begins; a frame that was begun before and not ended is abandoned. */
export interface FrameStartEvent {
  readonly type: "frameStart";
  readonly frameId: number;
  readonly exact: boolean;
  readonly columns: readonly Column[];
}

/** Some rows of the frame. */
export interface BatchEvent {
  readonly type: "batch";
  readonly frameId: number;
  readonly batch: Rows;
}

/** The frame is whole. */
export interface FrameEndEvent {
  readonly type: "frameEnd";
  readonly frameId: number;
  readonly rows: number;
}

/** What `query.stream()` gives: frames in parts, so that a result of any size fits. */
export type QueryBatchEvent =
  | AcceptedEvent
  | ProgressEvent
  | FrameStartEvent
  | BatchEvent
  | FrameEndEvent
  | CompletedEvent;

/** A whole result. */
export interface Frame extends Rows {
  readonly id: number;
  /** Whether this is the exact answer. */
  readonly exact: boolean;
}
