import { create } from "@bufbuild/protobuf";
import { type Any, anyIs, anyPack, anyUnpack } from "@bufbuild/protobuf/wkt";
import { DroverError } from "../errors.ts";
import type { Dataset, Version, WatchLoadResponse } from "../gen/drover/v1/dataset_service_pb.js";
import { type Operation, OperationKind } from "../gen/drover/v1/operation_service_pb.js";
import { BadRequestSchema, ErrorInfoSchema } from "../gen/google/rpc/error_details_pb.js";
import type { Status } from "../gen/google/rpc/status_pb.js";
import type { Access } from "./access.ts";

const untold = "the data can't be read now";

export function datasetFor(dataset: Dataset, access: Access): Dataset {
  const { version, refresh } = dataset;
  if (version === undefined) return dataset;
  const shown = versionFor(dataset.name, version, access);
  if (shown === version || refresh?.lastError === undefined) return { ...dataset, version: shown };
  const { lastError: _, ...rest } = refresh;
  return { ...dataset, version: shown, refresh: rest };
}

/** A version without the paths and hosts of where it came from, and what read it, unless they are this user's own business. */
export function versionFor(dataset: string, version: Version, access: Access): Version {
  const { source, libraries: _, ...rest } = version;
  if (source === undefined || access.maySeeLineage(dataset, source)) return version;
  return { ...rest, warnings: [] };
}

/** A load says what it reads, and its error why that can't be read. */
export function operationFor(operation: Operation, access: Access): Operation {
  const { uri, format, connection } = operation.configuration ?? {};
  const source = { uri: textOf(uri), format: textOf(format), connection: textOf(connection) };
  if (operation.kind !== OperationKind.LOAD || access.maySeeLineage(operation.dataset, source)) return operation;
  const { error, configuration: _, outcome: __, ...rest } = operation;
  return { ...rest, ...(error && { error: withoutWords(error) }) };
}

/** An event of a load whose operation is known; undefined where it is not for this user. */
export function loadEventFor(
  response: WatchLoadResponse,
  watched: Operation,
  access: Access,
): WatchLoadResponse | undefined {
  const isSeen = operationFor(watched, access) === watched;
  const { event } = response;
  if (isSeen || event.case === "progress" || event.case === undefined) return response;
  if (event.case === "warning") return undefined;
  const { operation } = event.value;
  const shown = operation && { operation: operationFor(operation, access) };
  if (event.case === "accepted") return { ...response, event: { ...event, value: { ...event.value, ...shown } } };
  const { dataset } = event.value;
  const rest = { ...(dataset && { dataset: datasetFor(dataset, access) }), rejectedSamples: [] };
  return { ...response, event: { ...event, value: { ...event.value, ...shown, ...rest } } };
}

/** What a user is told in place of an error in words of a source or of the driver's files; those are the cause, for whoever runs the app server. */
export class UntoldError extends DroverError {
  override readonly cause: DroverError;

  constructor(cause: DroverError) {
    const { reason, code, retryable, help, requestId, metadata } = cause;
    const { dataset, rebuildReason } = metadata;
    const shown = { ...(dataset && { dataset }), ...(rebuildReason && { rebuildReason }) };
    super({ reason, message: untold, metadata: shown, code, retryable, help, requestId });
    this.cause = cause;
  }
}

/** A question that waited for a load fails as that does. */
export function errorOfQuestion(error: unknown): unknown {
  return error instanceof DroverError && tellsOfSource(error) ? new UntoldError(error) : error;
}

function tellsOfSource({ reason, metadata }: DroverError): boolean {
  if (reason === "VERSION_DAMAGED" || reason === "SEGMENT_UNREADABLE") return true;
  if (metadata.rebuildReason !== undefined) return true;
  return reason !== "DATASET_LOADING" && metadata.operation !== undefined && metadata.dataset !== undefined;
}

function withoutWords({ details, ...status }: Status): Status {
  return { ...status, message: untold, details: details.flatMap(withoutMetadata) };
}

function withoutMetadata(detail: Any): readonly Any[] {
  const { reason, domain } = anyUnpack(detail, ErrorInfoSchema) ?? {};
  if (reason === undefined) return anyIs(detail, BadRequestSchema) ? [] : [detail];
  return [anyPack(ErrorInfoSchema, create(ErrorInfoSchema, { reason, ...(domain !== undefined && { domain }) }))];
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
