import { setTimeout } from "node:timers/promises";
import { isSame, type LoadCatalog, type LoadRecord, type LoadResult } from "../catalog/loads.ts";
import { DriverError } from "../errors/driver-error.ts";
import type { OperationHandle } from "../operations/model.ts";
import type { LoadOutcome } from "./model.ts";

export interface LoadEnd {
  readonly result: LoadOutcome;
  readonly outcome: LoadOutcome & Record<string, unknown>;
}

/** What a load is to all the processes that share the catalog. */
export interface LoadIdentity extends Pick<LoadRecord, "operationId" | "nameKey" | "configuration"> {
  readonly dataset: string;
}

const FOLLOW_EVERY_MS = 100;

/**
 * Carries a load out unless another driver process does the same: then it waits for that one, ends as that one ends, and takes
 * over if that one is cancelled or its process dies. Throws LOAD_CONFLICT where another process loads something else.
 */
export async function loadOnce(
  claims: LoadCatalog,
  identity: LoadIdentity,
  handle: OperationHandle,
  carryOut: () => Promise<LoadEnd>,
): Promise<LoadEnd> {
  for (;;) {
    handle.signal.throwIfAborted();
    const present = await claims.claim(identity);
    if (present === undefined) return await claimed(claims, handle, carryOut);
    requireSame(present, identity);
    const result = await follow(claims, present, handle);
    if (result === undefined) continue;
    if ("error" in result) throw result.error;
    // Only loads write outcomes there.
    const outcome = result.outcome as LoadEnd["outcome"];
    handle.report({ fraction: 1, rows: outcome.rows, bytes: outcome.sourceBytes, totalBytes: outcome.sourceBytes });
    return { result: outcome, outcome };
  }
}

/** Throws LOAD_CONFLICT unless a load that runs is the one that is asked for. */
export function requireSame(present: LoadRecord, identity: Omit<LoadIdentity, "operationId">): void {
  if (isSame(present, identity)) return;
  const { dataset } = identity;
  const { operationId } = present;
  throw new DriverError(
    "LOAD_CONFLICT",
    `operation "${operationId}" of another driver is loading ${JSON.stringify(dataset)}`,
    { metadata: { dataset, operation: operationId } },
  );
}

async function claimed(
  claims: LoadCatalog,
  handle: OperationHandle,
  carryOut: () => Promise<LoadEnd>,
): Promise<LoadEnd> {
  try {
    const end = await carryOut();
    await claims.end(handle.id, { outcome: end.outcome });
    return end;
  } catch (thrown) {
    // Whoever waits for a load that is cancelled here has not cancelled it.
    await claims.end(handle.id, handle.signal.aborted ? undefined : { error: DriverError.from(thrown) });
    throw thrown;
  }
}

/** Waits for the end of another process's load; undefined where it gives no result. */
async function follow(
  claims: LoadCatalog,
  { operationId, result }: LoadRecord,
  handle: OperationHandle,
): Promise<LoadResult | undefined> {
  if (result !== undefined) return result;
  handle.report({ phase: `waiting for operation ${operationId} of another driver` });
  for (;;) {
    await setTimeout(FOLLOW_EVERY_MS, undefined, { signal: handle.signal });
    const load = await claims.find(operationId);
    if (load === undefined || load.result !== undefined) return load?.result;
  }
}
