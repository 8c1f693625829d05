import { setTimeout } from "node:timers/promises";
import { isSame, type LoadCatalog, type LoadRecord, type LoadResult } from "../catalog/loads.ts";
import { DriverError } from "../errors/driver-error.ts";
import type { Flight } from "./flight.ts";
import type { LoadOutcome } from "./model.ts";
import type { ProgressNotes } from "./progress-notes.ts";

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
  flight: Flight,
  carryOut: () => Promise<LoadEnd>,
  notes?: Pick<ProgressNotes, "read">,
): Promise<LoadEnd> {
  for (;;) {
    flight.signal.throwIfAborted();
    const present = await claims.claim(identity);
    if (present === undefined) return await claimed(claims, identity.operationId, flight, carryOut);
    requireSame(present, identity);
    const result = await follow(claims, present, flight, notes);
    if (result === undefined) continue;
    if ("error" in result) throw result.error;
    // Only loads write outcomes there.
    const outcome = result.outcome as LoadEnd["outcome"];
    flight.report({ fraction: 1, rows: outcome.rows, bytes: outcome.sourceBytes, totalBytes: outcome.sourceBytes });
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
  operationId: string,
  flight: Flight,
  carryOut: () => Promise<LoadEnd>,
): Promise<LoadEnd> {
  try {
    const end = await carryOut();
    await claims.end(operationId, { outcome: end.outcome }, flight.participants);
    return end;
  } catch (thrown) {
    const { signal, stoppedForAll } = flight;
    // Whoever waits elsewhere for a load that everybody here has left has not cancelled it.
    const left = signal.aborted && !stoppedForAll;
    await claims.end(operationId, left ? undefined : { error: DriverError.from(signal.reason ?? thrown) });
    throw thrown;
  }
}

/** Waits for the end of another process's load; undefined where it gives no result. */
async function follow(
  claims: LoadCatalog,
  { operationId, instanceId, result }: LoadRecord,
  flight: Flight,
  notes: Pick<ProgressNotes, "read"> | undefined,
): Promise<LoadResult | undefined> {
  if (result !== undefined) return result;
  flight.report({ phase: `waiting for operation ${operationId} of another driver` });
  for (;;) {
    await setTimeout(FOLLOW_EVERY_MS, undefined, { signal: flight.signal });
    const { phase: _, ...progress } = (await notes?.read(instanceId, operationId)) ?? {};
    flight.report(progress);
    const load = await claims.find(operationId);
    if (load === undefined || load.result !== undefined) return load?.result;
  }
}
