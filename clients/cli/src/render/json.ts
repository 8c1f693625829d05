import { type Dataset, DroverError, type Operation, type Version } from "../../../node/src/index.ts";

/** JSON as the driver writes values: NaN and infinities by name, bytes as base64, bigints as text; errors as data. */
export function jsonText(value: unknown, indent?: number): string {
  return JSON.stringify(value, replace, indent);
}

function replace(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (value instanceof DroverError) return errorJson(value);
  return value;
}

/** A dataset for a list: its current version told flat. */
export function datasetJson(dataset: Dataset) {
  const { name, version, labels, createTime, resident, residentBytes, storageLevel, storageLevelProblem } = dataset;
  const { number, createTime: versionTime, ...rest } = version;
  return {
    name,
    version: number,
    ...rest,
    versionTime,
    createTime,
    labels,
    resident,
    residentBytes,
    storageLevel,
    storageLevelProblem,
  };
}

/** A dataset with its columns. */
export function datasetDetailJson(dataset: Dataset) {
  return { ...datasetJson(dataset), columns: dataset.columns };
}

/** A version for a list. */
export function versionJson(version: Version) {
  const { number, ...rest } = version;
  return { version: number, ...rest };
}

/** An operation; its error as data. */
export function operationJson(operation: Operation) {
  const { error, ...rest } = operation;
  return error === undefined ? rest : { ...rest, error: errorJson(error) };
}

function errorJson({ reason, code, message, help, retryable, metadata }: DroverError) {
  return { reason, code, message, help, retryable, metadata };
}
