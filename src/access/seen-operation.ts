import { DriverError } from "../errors/driver-error.ts";
import type { OperationSnapshot } from "../operations/model.ts";
import { noProgress } from "../operations/progress.ts";
import type { Access } from "./model.ts";

/**
 * An operation as its owner may see it now: what it was asked, and what it found, may have been more than what he may see of the
 * dataset today, or on behalf of the end user that he names now.
 */
export function seenOperation(operation: OperationSnapshot, access: Access): OperationSnapshot {
  if (access.unbounded || isWhole(operation, access)) return operation;
  const { error, outcome: _outcome, ...rest } = operation;
  return {
    ...rest,
    dataset: access.mayRead(operation.dataset) ? operation.dataset : "",
    configuration: {},
    labels: {},
    progress: { ...noProgress, phase: operation.progress.phase },
    // Its message and its metadata may quote what is not to be seen.
    ...(error && {
      error: new DriverError(error.reason, "what went wrong is not told, as the call sees only a part of the data"),
    }),
  };
}

/** Whether all that an operation says may be told. */
export function isWhole({ kind, dataset, scopeHash }: OperationSnapshot, access: Access): boolean {
  // A query or an export under the same scope has found nothing else than it would find now.
  if ((kind === "query" || kind === "export") && (scopeHash ?? "") === access.scopeHash) return true;
  return dataset !== "" && access.mayRead(dataset) && access.restriction(dataset) === undefined;
}
