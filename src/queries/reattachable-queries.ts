import { createHash, randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Access } from "../access/model.ts";
import { DriverError } from "../errors/driver-error.ts";
import { canonicalJson, isSameRequest } from "../operations/identity.ts";
import type { OperationHandle, OperationRequest, Operations } from "../operations/model.ts";
import { isSameOwner, mayKnow, type Owner } from "../operations/owner.ts";
import type { EventSink } from "./event-stream.ts";
import type { NumberedEvent, QueryCompletion } from "./events.ts";
import type { KeptEvent } from "./kept-event.ts";
import { ReattachableQuery } from "./reattachable-query.ts";
import { Spools } from "./spool.ts";

/** What a reader finds who comes back. */
export type ReattachOutcome = "resumed" | "expired" | "unknown";

export interface ReattachLimits {
  /** How long a query goes on without a reader. */
  readonly detachedTimeoutMs: number;
  /** How long the end of a query is kept. */
  readonly resultTtlMs: number;
  /** What all queries together may keep of what they have sent. */
  readonly spoolBytes: number;
  /** What one query may keep of what it has sent. */
  readonly spoolBytesPerQuery: number;
}

/** What ends a query though somebody reads it or may come back to. */
export interface Lifetime extends Disposable {
  readonly signal: AbortSignal;
}

export interface ReattachableRequest {
  readonly operation: OperationRequest;
  /** What is asked and how it shall travel: a call with the id of a query and the same of it attaches to the query. */
  readonly asked: unknown;
  /** Made when a query begins; disposed when it has ended. */
  readonly lifetime: () => Lifetime;
  readonly work: (
    handle: OperationHandle,
    sink: EventSink,
  ) => Promise<{ result: QueryCompletion; outcome: Readonly<Record<string, unknown>> }>;
}

export interface WatchOptions {
  /** Who asks: only who asked for the query may read it. */
  readonly requestedBy: string;
  readonly access: Access;
  readonly signal: AbortSignal;
}

interface Kept {
  readonly query: ReattachableQuery;
  readonly digest: string;
  readonly requestedBy: string;
  readonly owner: Owner | undefined;
  readonly scopeHash: string;
}

/** Who has asked, and what he could see. */
interface Asker {
  readonly requestedBy: string;
  readonly owner?: Owner | undefined;
  readonly scopeHash?: string | undefined;
}

const POLL_MS = 50;

/** The queries that a reader can come back to. */
export class ReattachableQueries {
  readonly #operations: Operations;
  readonly #limits: ReattachLimits;
  readonly #onReattach: (outcome: ReattachOutcome) => void;
  readonly #spools: Spools<KeptEvent>;
  readonly #kept = new Map<string, Kept>();

  constructor(
    operations: Operations,
    limits: ReattachLimits,
    onReattach: (outcome: ReattachOutcome) => void = () => undefined,
  ) {
    this.#operations = operations;
    this.#onReattach = onReattach;
    this.#limits = limits;
    this.#spools = new Spools({ totalBytes: limits.spoolBytes, bytesPerSpool: limits.spoolBytesPerQuery });
  }

  /** What all spools keep. */
  get bytes(): number {
    return this.#spools.bytes;
  }

  /** Attaches to the query that has an id, if it is kept, from its beginning. Throws OPERATION_EXISTS if it asks another question. */
  attach(
    id: string,
    asked: unknown,
    options: { readonly signal: AbortSignal },
  ): AsyncGenerator<NumberedEvent, void> | undefined {
    const kept = this.#kept.get(id);
    if (kept === undefined || kept.digest === digestOf(asked)) return kept?.query.readAfter(0, options);
    throw new DriverError("OPERATION_EXISTS", `operation "${id}" asks another question`, {
      metadata: { operation: id },
    });
  }

  /** Goes on with a query after an event. Throws OPERATION_NOT_FOUND, RESULT_EXPIRED, INVALID_REQUEST. */
  watch(id: string, after: number, { requestedBy, access, signal }: WatchOptions): AsyncGenerator<NumberedEvent, void> {
    const kept = this.#kept.get(id);
    // An id that others may have seen opens nobody else's result.
    const isAskers = (known: Asker) =>
      known.requestedBy === requestedBy &&
      isSameOwner(known.owner, access.owner) &&
      (known.scopeHash ?? "") === access.scopeHash;
    if (kept !== undefined && isAskers(kept)) return kept.query.readAfter(after, { signal });
    const operation = this.#operations.find(id);
    const ended = operation?.kind === "query" && operation.endTime !== undefined;
    if (ended && isAskers(operation)) throw this.#expired(id);
    this.#onReattach("unknown");
    throw new DriverError("OPERATION_NOT_FOUND", `there is no reattachable query "${id}"`, {
      metadata: { operation: id },
    });
  }

  /** Settles when readers that were cut off have come back for the rest of what has ended, or can't be expected any more. */
  async settled({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const owed = () => [...this.#kept.values()].some(({ query }) => query.owed);
    while (!signal.aborted && owed()) await delay(POLL_MS, undefined, { signal }).catch(() => undefined);
  }

  /** Runs a query that goes on without its reader for a while. */
  start(
    { operation, asked, lifetime, work }: ReattachableRequest,
    options: { readonly signal: AbortSignal },
  ): AsyncGenerator<NumberedEvent, void> {
    this.#refuseExpired(operation);
    const { id = randomUUID() } = operation;
    const stop = new AbortController();
    const limit = lifetime();
    const query = new ReattachableQuery({
      id,
      spools: this.#spools,
      ...this.#limits,
      stop: (reason) => stop.abort(reason),
      onReattach: this.#onReattach,
      onGone: () => this.#kept.delete(id),
    });
    try {
      const signal = AbortSignal.any([limit.signal, stop.signal]);
      const { done } = this.#operations.run({ ...operation, id }, (handle) => work(handle, query), { signal });
      this.#kept.set(id, { query, digest: digestOf(asked), ...askerOf(operation) });
      void done
        .then(
          (completion) => query.complete(completion),
          (error: unknown) => query.fail(DriverError.from(error)),
        )
        .finally(() => limit[Symbol.dispose]());
      return query.readAfter(0, options);
    } catch (error) {
      query.discard();
      limit[Symbol.dispose]();
      throw error;
    }
  }

  /** The same question under the id of a query that has ended is a retry that comes too late. */
  #refuseExpired(request: OperationRequest): void {
    const { id } = request;
    const earlier = id === undefined ? undefined : this.#operations.find(id);
    if (earlier?.endTime === undefined || this.#operations.mayReplace(request)) return;
    // What another has asked, or was asked with more in sight, is not to be found out by guessing.
    if (mayKnow(request.whose, earlier) && isSameRequest(earlier, request)) throw this.#expired(earlier.id);
  }

  #expired(id: string): DriverError {
    this.#onReattach("expired");
    return new DriverError("RESULT_EXPIRED", `nothing is kept of the query "${id}"`, { metadata: { operation: id } });
  }
}

function askerOf({ requestedBy, whose }: OperationRequest): Pick<Kept, "requestedBy" | "owner" | "scopeHash"> {
  return { requestedBy, owner: whose?.owner, scopeHash: whose?.scopeHash ?? "" };
}

function digestOf(asked: unknown): string {
  return createHash("sha256").update(canonicalJson(asked)).digest("base64url");
}
