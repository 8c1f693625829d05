import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  type Operation,
  OperationKind,
  OperationSchema,
  OperationState,
  type Progress,
  ProgressSchema,
} from "../../gen/drover/v1/operation_service_pb.js";
import type {
  OperationKind as Kind,
  OperationProgress,
  OperationSnapshot,
  OperationState as State,
} from "../../operations/model.ts";
import { toStatus } from "../status.ts";
import { toStruct } from "./values.ts";

const KINDS: Readonly<Record<Kind, OperationKind>> = {
  load: OperationKind.LOAD,
  query: OperationKind.QUERY,
  export: OperationKind.EXPORT,
  append: OperationKind.APPEND,
};

const STATES: Readonly<Record<State, OperationState>> = {
  pending: OperationState.PENDING,
  running: OperationState.RUNNING,
  cancelling: OperationState.CANCELLING,
  succeeded: OperationState.SUCCEEDED,
  failed: OperationState.FAILED,
  cancelled: OperationState.CANCELLED,
  lost: OperationState.LOST,
};

export function fromOperation(operation: OperationSnapshot): Operation {
  const { error, outcome, startTime, endTime } = operation;
  return create(OperationSchema, {
    id: operation.id,
    kind: KINDS[operation.kind],
    state: STATES[operation.state],
    dataset: operation.dataset,
    progress: fromProgress(operation.progress),
    requestedBy: operation.requestedBy,
    labels: { ...operation.labels },
    configuration: toStruct(operation.configuration),
    createTime: timestampFromDate(operation.createTime),
    ...(error && { error: toStatus(error) }),
    ...(outcome && { outcome: toStruct(outcome) }),
    ...(startTime && { startTime: timestampFromDate(startTime) }),
    ...(endTime && { endTime: timestampFromDate(endTime) }),
  });
}

export function fromProgress(progress: OperationProgress): Progress {
  return create(ProgressSchema, {
    ...(progress.fraction !== undefined && { fraction: progress.fraction }),
    rows: toBigInt(progress.rows),
    bytes: toBigInt(progress.bytes),
    totalBytes: toBigInt(progress.totalBytes),
    rowsPerSecond: progress.rowsPerSecond,
    bytesPerSecond: progress.bytesPerSecond,
    phase: progress.phase,
  });
}

export function toOperationKind(kind: OperationKind): Kind | undefined {
  return keyOf(KINDS, kind);
}

export function toOperationState(state: OperationState): State | undefined {
  return keyOf(STATES, state);
}

function keyOf<K extends string, V>(table: Readonly<Record<K, V>>, value: V): K | undefined {
  return (Object.keys(table) as K[]).find((key) => table[key] === value);
}

/** Estimates may have fractions; BigInt takes none. */
function toBigInt(value: number): bigint {
  return BigInt(Math.max(0, Math.floor(value)));
}
