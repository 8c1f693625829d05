import { type Duration, type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import { clientError, statusError } from "./errors.ts";
import type * as datasets from "./gen/drover/v1/dataset_service_pb.js";
import { DriverState, type GetDriverResponse } from "./gen/drover/v1/driver_service_pb.js";
import * as operations from "./gen/drover/v1/operation_service_pb.js";
import type * as queries from "./gen/drover/v1/query_service_pb.js";
import {
  type Column as WireColumn,
  TypeKind as WireKind,
  type Source as WireSource,
} from "./gen/drover/v1/types_pb.js";
import type {
  Column,
  ColumnStatistics,
  Dataset,
  DriverInfo,
  Memory,
  Operation,
  OperationKind,
  OperationState,
  Progress,
  QuerySummary,
  RejectedRow,
  Source,
  TypeKind,
  Version,
} from "./model.ts";
import { decoderOf, type IntegerMode, type JsonObject } from "./values.ts";

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

const driverStates: Readonly<Partial<Record<DriverState, DriverInfo["state"]>>> = {
  [DriverState.STARTING]: "starting",
  [DriverState.SERVING]: "serving",
  [DriverState.STOPPING]: "stopping",
};

export function driverFrom(driver: GetDriverResponse): DriverInfo {
  return {
    version: driver.version,
    apiVersion: driver.apiVersion,
    instanceId: driver.instanceId,
    profile: driver.profile,
    fingerprint: driver.fingerprint,
    state: driverStates[driver.state] ?? "unknown",
    startTime: dateFrom(driver.startTime),
    pid: driver.pid,
    capabilities: driver.capabilities,
    pools: driver.pools.map(({ name, size, running, queued, maxQueued }) => ({
      name,
      size,
      running,
      queued,
      maxQueued,
    })),
    memory: memoryFrom(driver.memory),
    threads: driver.threads,
    eventLoopDelayP99Ms: driver.eventLoopDelayP99Ms,
  };
}

function memoryFrom(memory: GetDriverResponse["memory"]): Memory {
  return {
    budgetBytes: Number(memory?.budgetBytes ?? 0),
    residentBudgetBytes: Number(memory?.residentBudgetBytes ?? 0),
    residentBytes: Number(memory?.residentBytes ?? 0),
    readerLimitBytes: Number(memory?.readerLimitBytes ?? 0),
    loaderLimitBytes: Number(memory?.loaderLimitBytes ?? 0),
    processBytes: Number(memory?.processBytes ?? 0),
  };
}

export function datasetFrom(dataset: datasets.Dataset): Dataset {
  return {
    name: dataset.name,
    version: versionFrom(dataset.version),
    columns: columnsFrom(dataset.columns),
    labels: dataset.labels,
    createTime: dateFrom(dataset.createTime),
    resident: dataset.resident,
    residentBytes: Number(dataset.residentBytes),
  };
}

export function versionFrom(version: datasets.Version | undefined): Version {
  return {
    number: Number(version?.number ?? 0),
    rows: Number(version?.rows ?? 0),
    bytes: Number(version?.bytes ?? 0),
    segments: version?.segments ?? 0,
    createTime: dateFrom(version?.createTime),
    source: sourceFrom(version?.source),
    operationId: version?.operationId ?? "",
    sourceBytes: Number(version?.sourceBytes ?? 0),
    warnings: version?.warnings ?? [],
    rejectedRows: Number(version?.rejectedRows ?? 0),
  };
}

function sourceFrom(source: WireSource | undefined): Source | undefined {
  if (source === undefined) return undefined;
  return { uri: source.uri, format: source.format, options: (source.options ?? {}) as JsonObject };
}

export function rejectedFrom(row: datasets.RejectedRow): RejectedRow {
  const { file, column, reason, text } = row;
  return { file, line: Number(row.line), column, reason, text };
}

export function progressFrom(progress: operations.Progress): Progress {
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

const operationStates: Readonly<Partial<Record<operations.OperationState, OperationState>>> = {
  [operations.OperationState.PENDING]: "pending",
  [operations.OperationState.RUNNING]: "running",
  [operations.OperationState.CANCELLING]: "cancelling",
  [operations.OperationState.SUCCEEDED]: "succeeded",
  [operations.OperationState.FAILED]: "failed",
  [operations.OperationState.CANCELLED]: "cancelled",
  [operations.OperationState.LOST]: "lost",
};

const operationKinds: Readonly<Partial<Record<operations.OperationKind, OperationKind>>> = {
  [operations.OperationKind.LOAD]: "load",
  [operations.OperationKind.QUERY]: "query",
};

export function stateToWire(state: OperationState): operations.OperationState {
  return keyOf(operationStates, state, "state");
}

export function kindToWire(kind: OperationKind): operations.OperationKind {
  return keyOf(operationKinds, kind, "kind");
}

function keyOf<K extends number, V>(table: Readonly<Partial<Record<K, V>>>, value: V, what: string): K {
  const entry = Object.entries(table).find(([, candidate]) => candidate === value);
  if (entry !== undefined) return Number(entry[0]) as K;
  const known = Object.values(table).join(", ");
  throw clientError("INVALID_ARGUMENT", `unknown ${what} of operations "${String(value)}"; known: ${known}`);
}

export function operationFrom(operation: operations.Operation | undefined): Operation {
  return {
    id: operation?.id ?? "",
    kind: operationKinds[operation?.kind ?? 0] ?? "unknown",
    state: operationStates[operation?.state ?? 0] ?? "unknown",
    dataset: operation?.dataset ?? "",
    progress: operation?.progress && progressFrom(operation.progress),
    error: operation?.error && statusError(operation.error),
    requestedBy: operation?.requestedBy ?? "",
    labels: operation?.labels ?? {},
    configuration: (operation?.configuration ?? {}) as JsonObject,
    outcome: (operation?.outcome ?? {}) as JsonObject,
    createTime: dateFrom(operation?.createTime),
    startTime: dateFrom(operation?.startTime),
    endTime: dateFrom(operation?.endTime),
  };
}

export function summaryFrom(completed: queries.QueryCompleted | undefined): QuerySummary {
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

export function statisticsFrom(statistics: queries.ColumnStatistics, integers: IntegerMode): ColumnStatistics {
  const column = columnFrom(statistics.column ?? ({ name: "", type: "", kind: 0 } as WireColumn));
  const decode = decoderOf(column, integers);
  return {
    column,
    nullCount: Number(statistics.nullCount),
    approximateDistinctCount: Number(statistics.approximateDistinctCount),
    min: statistics.min === undefined ? null : decode(statistics.min),
    max: statistics.max === undefined ? null : decode(statistics.max),
    mean: statistics.mean,
    stddev: statistics.stddev,
    quartiles: statistics.quartiles,
  };
}

function dateFrom(timestamp: Timestamp | undefined): Date | undefined {
  return timestamp && timestampDate(timestamp);
}

function msFrom(duration: Duration | undefined): number {
  // protobuf-es's own conversion rounds to whole milliseconds, of which a query may take less than one.
  return duration === undefined ? 0 : Number(duration.seconds) * 1000 + duration.nanos / 1e6;
}
