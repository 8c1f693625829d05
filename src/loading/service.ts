import { randomUUID } from "node:crypto";
import type { LoadCatalog } from "../catalog/loads.ts";
import type { DatasetStore, VersionPlace } from "../datasets/model.ts";
import { nameKey } from "../datasets/names.ts";
import type { ResolvedSource, SourceResolver } from "../definitions/model.ts";
import type { SegmentLimits } from "../engine/file-scan.ts";
import { DriverError } from "../errors/driver-error.ts";
import { canonicalJson, isInterrupted, isSameRequest } from "../operations/identity.ts";
import type { JsonObject, OperationSnapshot, Operations } from "../operations/model.ts";
import type { Pool } from "../scheduling/model.ts";
import type { StatementLimits } from "../scheduling/statement-limits.ts";
import { Flight } from "./flight.ts";
import { requireSound } from "./increment-rule.ts";
import { type LoadEnd, type LoadIdentity, loadOnce, requireSame } from "./load-once.ts";
import type { LoadRequest, LoadService, Started } from "./model.ts";
import type { ProgressNotes } from "./progress-notes.ts";
import { runLoad } from "./run-load.ts";
import type { WorkerPool } from "./workers/model.ts";

/** Where it is noted that a source holds nothing new. */
export interface FreshnessNotes {
  /** The source, as it was at this time, holds what this version holds. */
  seen(version: VersionPlace, time: Date): Promise<void>;
}

export interface LoadOptions {
  readonly limits: SegmentLimits;
}

export interface LoadServiceParts {
  readonly workers: WorkerPool;
  readonly definitions: SourceResolver;
  readonly datasets: DatasetStore;
  readonly operations: Operations;
  /** The loads of all driver processes. */
  readonly claims: LoadCatalog;
  readonly pool: Pool;
  readonly statements: StatementLimits;
  /** Left out: other processes see no progress. */
  readonly notes?: ProgressNotes;
  readonly freshness: FreshnessNotes;
  readonly options: LoadOptions;
}

/** About a million rows and at most 256 MiB for a segment; 64 MiB for a row group. */
export const DEFAULT_SEGMENT_LIMITS: SegmentLimits = {
  maxRows: 1_000_000,
  maxBytes: 256 * 1024 * 1024,
  maxRowGroupBytes: 64 * 1024 * 1024,
};

export function createLoadService(parts: LoadServiceParts): LoadService {
  return new Loads(parts);
}

const STOP_LOOK_EVERY_MS = 250;

class Loads implements LoadService {
  readonly #parts: LoadServiceParts;
  /** The load that runs, by dataset. */
  readonly #flights = new Map<string, { readonly flight: Flight; readonly identity: Shared }>();

  constructor(parts: LoadServiceParts) {
    this.#parts = parts;
  }

  async load(request: LoadRequest): Promise<Started> {
    const { definitions, claims } = this.#parts;
    const source = await definitions.resolve(request.source);
    requireSound(request.increment, source.named);
    const identity = shared(request, source);
    const earlier = this.#earlier(request, source);
    if (earlier) return earlier;
    // Whoever cancels a load and at once asks for another one need not know how long the first takes to stop.
    await this.#flights.get(request.dataset)?.flight.stopped();
    const known = this.#earlier(request, source) ?? this.#join(request, source, identity);
    if (known) return known;
    // If another process begins just after this look, the operation fails for that reason.
    const present = await claims.running(identity.nameKey);
    // One that has begun here meanwhile is looked at below.
    if (present !== undefined && !this.#flights.has(request.dataset)) requireSame(present, identity);
    return (
      this.#earlier(request, source) ?? this.#join(request, source, identity) ?? this.#start(request, source, identity)
    );
  }

  running(dataset: string): string | undefined {
    return this.#flights.get(dataset)?.flight.id;
  }

  others(operationId: string): number {
    return Math.max(0, (this.#find(operationId)?.flight.participants.length ?? 1) - 1);
  }

  async cancelForAll(operationId: string, reason: DriverError): Promise<void> {
    const found = this.#find(operationId);
    // Where another process carries it out.
    if (found !== undefined) await this.#parts.claims.askToStop(found.identity.nameKey, reason);
    await this.#stopForAll(found?.flight, [operationId], reason);
  }

  /** A repeated call with the same id is no new work, unless the end of an earlier driver cut it short. */
  #earlier(request: LoadRequest, source: ResolvedSource): Started | undefined {
    const { operationId, dataset } = request;
    const operation = operationId ? this.#parts.operations.find(operationId) : undefined;
    if (!operation) return undefined;
    const foreign = request.whose?.owns(operation.owner) === false;
    if (
      foreign ||
      !isSameRequest(operation, { kind: "load", dataset, configuration: configurationOf(request, source) })
    )
      throw new DriverError("OPERATION_EXISTS", `operation "${operation.id}" is another one`, {
        metadata: { operation: operation.id },
      });
    if (isInterrupted(operation)) return undefined;
    return { operation, joined: operation.endTime === undefined };
  }

  #join(request: LoadRequest, source: ResolvedSource, { configuration }: Shared): Started | undefined {
    const { dataset } = request;
    const present = this.#flights.get(dataset);
    if (present === undefined) return undefined;
    const { flight } = present;
    // A load that nobody wants any more gives no version to whoever joins it now.
    if (!flight.signal.aborted && present.identity.configuration === configuration)
      return { operation: this.#takePart(flight, idOf(request), request, source), joined: true };
    throw new DriverError("LOAD_CONFLICT", `operation "${flight.id}" is loading ${JSON.stringify(dataset)}`, {
      metadata: { dataset, operation: flight.id },
    });
  }

  #start(request: LoadRequest, source: ResolvedSource, identity: Shared): Started {
    const { dataset } = request;
    const id = idOf(request);
    const flight = new Flight(id, () => this.#carryOut(flight, request, source, { operationId: id, ...identity }));
    this.#flights.set(dataset, { flight, identity });
    try {
      return { operation: this.#takePart(flight, id, request, source), joined: false };
    } catch (error) {
      this.#flights.delete(dataset);
      throw error;
    }
  }

  /** Makes an operation that shares a load. */
  #takePart(flight: Flight, id: string, request: LoadRequest, source: ResolvedSource): OperationSnapshot {
    const { dataset, labels, requestedBy, whose } = request;
    const { operations } = this.#parts;
    const configuration = configurationOf(request, source);
    const operation = { id, kind: "load", dataset, requestedBy, whose, labels, configuration } as const;
    operations.run(operation, (handle) => flight.join(handle), {});
    return operations.get(id);
  }

  async #carryOut(
    flight: Flight,
    request: LoadRequest,
    source: ResolvedSource,
    identity: LoadIdentity,
  ): Promise<LoadEnd> {
    const { claims, notes, operations } = this.#parts;
    const carryOut = async () => {
      await using _ = notes?.keep(identity.operationId, () => operations.find(flight.id)?.progress);
      using __ = this.#watchForStop(identity.operationId, flight);
      return await runLoad(this.#parts, source, request, flight);
    };
    try {
      return await loadOnce(claims, identity, flight, carryOut, notes);
    } catch (thrown) {
      const error = DriverError.from(thrown);
      // Where another process carries it out, somebody has stopped it there for everybody.
      if (error.reason === "CANCELLED") void this.#cancelAll(flight.participants, error);
      throw error;
    } finally {
      this.#flights.delete(request.dataset);
    }
  }

  #find(operationId: string): { readonly flight: Flight; readonly identity: Shared } | undefined {
    for (const found of this.#flights.values()) if (found.flight.participants.includes(operationId)) return found;
    return undefined;
  }

  /** Looks now and then whether another process wants a load to stop that this one carries out. */
  #watchForStop(operationId: string, flight: Flight): Disposable {
    const look = async () => {
      const reason = await this.#parts.claims.stopWanted(operationId).catch(() => undefined);
      if (reason !== undefined) await this.#stopForAll(flight, [], reason);
    };
    const timer = setInterval(() => void look(), STOP_LOOK_EVERY_MS);
    return { [Symbol.dispose]: () => clearInterval(timer) };
  }

  async #stopForAll(flight: Flight | undefined, others: readonly string[], reason: DriverError): Promise<void> {
    flight?.stopForAll();
    await this.#cancelAll(flight?.participants ?? others, reason);
  }

  async #cancelAll(ids: readonly string[], reason: DriverError): Promise<void> {
    await Promise.all(ids.map((id) => this.#parts.operations.cancel(id, reason)));
  }
}

type Shared = Omit<LoadIdentity, "operationId">;

function idOf({ operationId }: LoadRequest): string {
  return operationId || randomUUID();
}

/** What a load does, for the history and to tell it from others. */
function configurationOf({ increment, onlyNew }: LoadRequest, { named }: ResolvedSource): JsonObject {
  return { ...named, ...(increment && { increment }), ...(onlyNew && { onlyNew }) };
}

/** What tells a load from others in all processes. Names that differ by case are one dataset, and different loads. */
function shared(request: LoadRequest, source: ResolvedSource): Shared {
  const { dataset } = request;
  const { meaning } = source;
  const configuration = canonicalJson({ dataset, ...configurationOf(request, source), ...(meaning && { meaning }) });
  return { dataset, nameKey: nameKey(dataset), configuration };
}
