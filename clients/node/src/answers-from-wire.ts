import type { Duration } from "@bufbuild/protobuf/wkt";
import type { Progress as WireProgress } from "./gen/drover/v1/operation_service_pb.js";
import type { QueryCompleted } from "./gen/drover/v1/query_service_pb.js";
import { type Column as WireColumn, TypeKind as WireKind } from "./gen/drover/v1/types_pb.js";
import type { Column, Progress, QuerySummary, TypeKind } from "./model.ts";

const kinds: Readonly<Partial<Record<WireKind, TypeKind>>> = {
  [WireKind.BOOLEAN]: "boolean",
  [WireKind.INTEGER]: "integer",
  [WireKind.DECIMAL]: "decimal",
  [WireKind.FLOAT]: "float",
  [WireKind.TEXT]: "text",
  [WireKind.BINARY]: "binary",
  [WireKind.DATE]: "date",
  [WireKind.TIME]: "time",
  [WireKind.TIMESTAMP]: "timestamp",
  [WireKind.TIMESTAMP_TZ]: "timestampTz",
  [WireKind.INTERVAL]: "interval",
  [WireKind.NESTED]: "nested",
};

export function columnFrom(column: WireColumn): Column {
  return { name: column.name, type: column.type, kind: kinds[column.kind] ?? "other" };
}

export function columnsFrom(columns: readonly WireColumn[]): readonly Column[] {
  return columns.map(columnFrom);
}

export function progressFrom(progress: WireProgress): Progress {
  return {
    fraction: progress.fraction,
    rows: Number(progress.rows),
    bytes: Number(progress.bytes),
    totalBytes: Number(progress.totalBytes),
    rowsPerSecond: progress.rowsPerSecond,
    bytesPerSecond: progress.bytesPerSecond,
    phase: progress.phase,
  };
}

export function summaryFrom(completed: QueryCompleted | undefined): QuerySummary {
  const timings = completed?.timings;
  return {
    rows: Number(completed?.rows ?? 0),
    rowsScanned: Number(completed?.rowsScanned ?? 0),
    bytesScanned: Number(completed?.bytesScanned ?? 0),
    timings: {
      queuedMs: msFrom(timings?.queued),
      plannedMs: msFrom(timings?.planned),
      executedMs: msFrom(timings?.executed),
      encodedMs: msFrom(timings?.encoded),
    },
    versions: Object.fromEntries(
      Object.entries(completed?.versions ?? {}).map(([name, version]) => [name, Number(version)]),
    ),
  };
}

export function msFrom(duration: Duration | undefined): number {
  // protobuf-es's own conversion rounds to whole milliseconds, of which a query may take less than one.
  return duration === undefined ? 0 : Number(duration.seconds) * 1000 + duration.nanos / 1e6;
}
