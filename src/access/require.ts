import { datasetNotFound } from "../datasets/not-found.ts";
import { DriverError } from "../errors/driver-error.ts";
import type { Access } from "./model.ts";

/** Throws DATASET_NOT_FOUND, word for word as of a dataset that is not there: whoever may not read one is not told that there is one. */
export function requireGranted(access: Access, dataset: string): void {
  if (!access.mayRead(dataset)) throw datasetNotFound(dataset);
}

/** Finds something of a dataset that is granted. */
export async function findGranted<T>(access: Access, dataset: string, find: () => Promise<T>): Promise<T> {
  requireGranted(access, dataset);
  try {
    return await find();
  } catch (error) {
    throw withoutHint(access, dataset, error);
  }
}

/** The hint at a dataset whose name differs only by case is for somebody who may read that one, too. */
export function withoutHint(access: Access, dataset: string, error: unknown): unknown {
  const isMissing = error instanceof DriverError && error.reason === "DATASET_NOT_FOUND";
  return isMissing && !access.unbounded ? datasetNotFound(dataset) : error;
}

/**
 * Throws ACCESS_DENIED unless the caller may see all of the dataset, or of the one that he would make: rows that he doesn't see
 * are not his to replace, and what a write says of them he must not hear.
 */
export function requireWritable(access: Access, dataset: string): void {
  if (!access.mayRead(dataset)) throw denied(access, `the token grants no dataset "${dataset}"`, { dataset });
  if (access.restriction(dataset) !== undefined)
    throw denied(access, `the token shows only a part of "${dataset}": nothing can be written to it`, { dataset });
}

/** Throws DATASET_NOT_FOUND, or ACCESS_DENIED for a dataset that is there for the caller and not his to change. */
export function requireChangeable(access: Access, dataset: string): void {
  requireGranted(access, dataset);
  requireWritable(access, dataset);
}

/** Throws ACCESS_DENIED where rows or columns are held back: at a source there is nothing that could hold them back. */
export function requireUnrestricted(access: Access): void {
  if (access.restricted)
    throw denied(access, "the token holds back rows or columns of datasets, so their sources can't be read with it");
}

/** Throws ACCESS_DENIED unless all datasets are granted, whole. */
export function requireUnbounded(access: Access): void {
  if (!access.unbounded) throw denied(access, "this takes a token without bounds: it touches every dataset");
}

function denied({ principal }: Access, message: string, metadata: Readonly<Record<string, string>> = {}): DriverError {
  return new DriverError("ACCESS_DENIED", message, { metadata: { principal, ...metadata } });
}
