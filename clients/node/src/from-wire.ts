import type { JsonObject as WireJson } from "@bufbuild/protobuf";
import { columnFrom, columnsFrom, progressFrom } from "./answers-from-wire.ts";
import { clientError, statusError } from "./errors.ts";
import * as datasets from "./gen/drover/v1/dataset_service_pb.js";
import {
  type AttachResponse,
  DriverState,
  type GetDriverResponse,
  EvictionReason as WireEvictionReason,
} from "./gen/drover/v1/driver_service_pb.js";
import * as operations from "./gen/drover/v1/operation_service_pb.js";
import type * as queries from "./gen/drover/v1/query_service_pb.js";
import type {
  Column as WireColumn,
  PackageVersion as WirePackageVersion,
  Source as WireSource,
  UsedLibraries as WireUsedLibraries,
} from "./gen/drover/v1/types_pb.js";
import type { Upload as WireUpload } from "./gen/drover/v1/upload_service_pb.js";
import type {
  ColumnStatistics,
  Dataset,
  DriverEvent,
  DriverInfo,
  EvictionReason,
  Memory,
  Operation,
  OperationKind,
  OperationState,
  PackageVersion,
  RejectedRow,
  Source,
  StorageLevel,
  TextSource,
  Upload,
  UsedLibraries,
  Version,
  Workers,
} from "./model.ts";
import { Filter } from "./query/filter.ts";
import { incrementFrom, refreshStatusFrom } from "./refresh.ts";
import { dateFrom } from "./times.ts";
import { decoderOf, type IntegerMode, type JsonObject } from "./values.ts";

const driverStates: Readonly<Partial<Record<DriverState, DriverInfo["state"]>>> = {
  [DriverState.STARTING]: "starting",
  [DriverState.SERVING]: "serving",
  [DriverState.DRAINING]: "draining",
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
    workers: driver.workers && workersFrom(driver.workers),
    threads: driver.threads,
    eventLoopDelayP99Ms: driver.eventLoopDelayP99Ms,
    leases: driver.leases.map(({ attachTime, ...lease }) => ({
      id: lease.id,
      clientName: lease.clientName,
      clientHost: lease.clientHost,
      clientPid: lease.clientPid,
      clientVersion: lease.clientVersion,
      principal: lease.principal,
      attachTime: dateFrom(attachTime),
    })),
    runningOperations: driver.runningOperations,
    drainReason: driver.drainReason,
    launchId: driver.launchId,
    logFile: driver.logFile,
    librarySets: driver.librarySets.map(({ name, hash, kinds, sourcePatterns, packages }) => ({
      ...{ name, hash, kinds, sourcePatterns },
      packages: packagesFrom(packages),
    })),
  };
}

const evictionReasons: Readonly<Partial<Record<WireEvictionReason, EvictionReason>>> = {
  [WireEvictionReason.BUDGET]: "budget",
  [WireEvictionReason.IDLE]: "idle",
  [WireEvictionReason.SUPERSEDED]: "superseded",
  [WireEvictionReason.REMOVED]: "removed",
  [WireEvictionReason.LEVEL]: "level",
  [WireEvictionReason.REQUESTED]: "requested",
};

/** Undefined for what is no news: signs of life, and what a newer driver may add. */
export function driverEventFrom({ event }: AttachResponse, instanceId: string): DriverEvent | undefined {
  switch (event.case) {
    case "attached":
      return { type: "attached", instanceId };
    case "datasetPublished":
      return { type: "datasetPublished", dataset: event.value.dataset, version: Number(event.value.version) };
    case "datasetDropped":
      return { type: "datasetDropped", dataset: event.value.dataset };
    case "datasetEvicted": {
      const { dataset, version, bytes, reason } = event.value;
      const why = evictionReasons[reason] ?? "unknown";
      return { type: "datasetEvicted", dataset, version: Number(version), bytes: Number(bytes), reason: why };
    }
    case "datasetPinRefused": {
      const { dataset, version, message } = event.value;
      return { type: "datasetPinRefused", dataset, version: Number(version), message };
    }
    case "draining":
      return { type: "draining", reason: event.value.reason, deadline: dateFrom(event.value.deadline) };
    case "memoryPressure": {
      const { high, processBytes, budgetBytes } = event.value;
      return {
        type: "memoryPressure",
        high,
        processBytes: Number(processBytes),
        budgetBytes: Number(budgetBytes),
      };
    }
    case "heartbeat":
    case undefined:
      return undefined;
    default:
      event satisfies never;
      return undefined;
  }
}

function workersFrom(workers: NonNullable<GetDriverResponse["workers"]>): Workers {
  const { now, busy, wanted, pendingToAdd, pendingToRemove, maxNeeded, queued, min, max } = workers;
  const { workerBytes, bytes } = workers;
  return {
    ...{ now, busy, wanted, pendingToAdd, pendingToRemove, maxNeeded, queued, min, max },
    workerBytes: Number(workerBytes),
    bytes: Number(bytes),
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

const storageLevels: Readonly<Partial<Record<datasets.StorageLevel, StorageLevel>>> = {
  [datasets.StorageLevel.DISK]: "disk",
  [datasets.StorageLevel.MEMORY]: "memory",
  [datasets.StorageLevel.PINNED]: "pinned",
};

export function levelToWire(level: StorageLevel): datasets.StorageLevel {
  const entry = Object.entries(storageLevels).find(([, name]) => name === level);
  if (entry !== undefined) return Number(entry[0]);
  throw clientError("INVALID_ARGUMENT", `unknown storage level "${String(level)}"; known: disk, memory, pinned`);
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
    storageLevel: storageLevels[dataset.storageLevel] ?? "memory",
    storageLevelProblem: dataset.storageLevelProblem,
    refresh: dataset.refresh && refreshStatusFrom(dataset.refresh),
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
    filter: version?.filter && new Filter(version.filter.kind),
    limit: Number(version?.limit ?? 0),
    operationId: version?.operationId ?? "",
    sourceBytes: Number(version?.sourceBytes ?? 0),
    warnings: version?.warnings ?? [],
    rejectedRows: Number(version?.rejectedRows ?? 0),
    partial: version?.partial ?? false,
    readTime: dateFrom(version?.readTime),
    restoredFrom: Number(version?.restoredFrom ?? 0),
    increment: version?.increment && incrementFrom(version.increment),
    libraries: version?.libraries && librariesFrom(version.libraries),
  };
}

function librariesFrom({ setName, setHash, packages }: WireUsedLibraries): UsedLibraries {
  const set = setName === "" ? undefined : { name: setName, hash: setHash };
  return { set, packages: packagesFrom(packages) };
}

function packagesFrom(packages: readonly WirePackageVersion[]): readonly PackageVersion[] {
  return packages.map(({ name, version }) => ({ name, version }));
}

export function sourceToWire(source: Source | TextSource) {
  const { format = "", options = {} } = source;
  const shared = { format, options: options as WireJson };
  if ("text" in source) return { ...shared, text: source.text };
  const { uri = "", connection = "" } = source;
  return { ...shared, uri, connection };
}

export function sourceFrom(source: WireSource | undefined): Source | undefined {
  if (source === undefined) return undefined;
  const { uri, format, options, connection } = source;
  return { uri, format, options: (options ?? {}) as JsonObject, ...(connection !== "" && { connection }) };
}

export function rejectedFrom(row: datasets.RejectedRow): RejectedRow {
  const { file, column, reason, text } = row;
  return { file, line: Number(row.line), column, reason, text };
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
  [operations.OperationKind.EXPORT]: "export",
  [operations.OperationKind.APPEND]: "append",
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

export function uploadFrom(upload: WireUpload | undefined): Upload {
  return {
    id: upload?.id ?? "",
    uri: upload?.uri ?? "",
    name: upload?.name ?? "",
    format: upload?.format ?? "",
    finished: upload?.finished ?? false,
    receivedBytes: Number(upload?.receivedBytes ?? 0),
    size: upload?.size === undefined ? undefined : Number(upload.size),
    sha256: upload?.sha256 ?? "",
    requestedBy: upload?.requestedBy ?? "",
    createTime: dateFrom(upload?.createTime),
    useTime: dateFrom(upload?.useTime),
    finishTime: dateFrom(upload?.finishTime),
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
