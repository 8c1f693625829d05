import type { Duration } from "@bufbuild/protobuf/wkt";
import type {
  FrameBatch,
  FrameStart,
  QueryCompleted,
  QueryTimings,
  RunQueryResponse,
} from "../../gen/drover/v1/query_service_pb.js";
import type {
  NumberedEvent,
  QueryCompletion,
  QueryEvent,
  FrameBatch as ServiceFrameBatch,
  FrameStart as ServiceFrameStart,
} from "../../queries/events.ts";
import { fromColumns } from "./columns.ts";
import { fromProgress } from "./operations.ts";
import { fromRow } from "./values.ts";

const NOTHING = new Uint8Array(0);

/** An event of a query as the contract carries it. */
export function fromQueryEvent(event: NumberedEvent): RunQueryResponse {
  const eventId = BigInt(event.eventId ?? 0);
  return { $typeName: "drover.v1.RunQueryResponse", eventId, event: eventOf(event) };
}

function eventOf(event: QueryEvent): RunQueryResponse["event"] {
  switch (event.type) {
    case "accepted": {
      const { operationId } = event;
      return { case: "accepted", value: { $typeName: "drover.v1.QueryAccepted", operationId } };
    }
    case "progress":
      return { case: "progress", value: fromProgress(event.progress) };
    case "frameStart":
      return { case: "frameStart", value: fromFrameStart(event) };
    case "frameBatch":
      return { case: "frameBatch", value: fromFrameBatch(event) };
    case "frameEnd": {
      const [frameId, rows] = [BigInt(event.frameId), BigInt(event.rows)];
      return { case: "frameEnd", value: { $typeName: "drover.v1.FrameEnd", frameId, rows } };
    }
    case "completed":
      return { case: "completed", value: fromCompletion(event.completion) };
  }
}

function fromFrameStart({ frameId, exact, columns, arrowSchema = NOTHING }: ServiceFrameStart): FrameStart {
  return {
    $typeName: "drover.v1.FrameStart",
    frameId: BigInt(frameId),
    exact,
    columns: fromColumns(columns),
    arrowSchema: bytes(arrowSchema),
  };
}

function fromFrameBatch({ frameId, seq, arrow = NOTHING, rows = [] }: ServiceFrameBatch): FrameBatch {
  return {
    $typeName: "drover.v1.FrameBatch",
    frameId: BigInt(frameId),
    seq: BigInt(seq),
    arrow: bytes(arrow),
    rows: rows.map(fromRow),
  };
}

export function fromCompletion(completion: QueryCompletion): QueryCompleted {
  const { queuedMs, plannedMs, executedMs, encodedMs } = completion.timings;
  const timings: QueryTimings = {
    $typeName: "drover.v1.QueryTimings",
    queued: toDuration(queuedMs),
    planned: toDuration(plannedMs),
    executed: toDuration(executedMs),
    encoded: toDuration(encodedMs),
  };
  return {
    $typeName: "drover.v1.QueryCompleted",
    rows: BigInt(completion.rows),
    timings,
    rowsScanned: BigInt(Math.floor(completion.rowsScanned)),
    bytesScanned: BigInt(Math.floor(completion.bytesScanned)),
    versions: Object.fromEntries(
      Object.entries(completion.versions).map(([dataset, version]) => [dataset, BigInt(version)]),
    ),
  };
}

function toDuration(milliseconds: number): Duration {
  const nanoseconds = Math.max(0, Math.round(milliseconds * 1e6));
  const seconds = Math.floor(nanoseconds / 1e9);
  return { $typeName: "google.protobuf.Duration", seconds: BigInt(seconds), nanos: nanoseconds - seconds * 1e9 };
}

/** The contract's messages hold bytes over plain memory; engines never give shared memory. */
function bytes(given: Uint8Array): Uint8Array<ArrayBuffer> {
  return given as Uint8Array<ArrayBuffer>;
}
