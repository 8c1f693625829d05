import type { LibrarySet } from "../../library-sets/model.ts";
import type { StatementEnding } from "../../sources/connector.ts";
import type { ParamsOf, ResultOf, WorkerMethod } from "../worker/protocol.ts";
import type { CallOptions } from "./worker-process.ts";

/**
 * What a worker is wanted for. Somebody waits for an `interactive` one: a test, a preview. A load is carried by its `first`
 * worker; `more` read other partitions of it. While both wait, every fourth worker goes to a load.
 */
export type LeasePurpose = "interactive" | "first" | "more";

/** A library set that a worker can run with. */
export interface RunnableSet extends LibrarySet {
  /** Its folder while it is being made: then it has no hash of its own yet, and files have none to be compared with. */
  readonly madeIn?: string;
}

/** What a worker must be like. */
export interface LeaseOptions {
  readonly signal: AbortSignal;
  /** The library set that it runs with; undefined: the built-in one. */
  readonly set?: RunnableSet | undefined;
}

/** A worker that nobody else uses. Disposing gives it back. */
export interface WorkerLease extends AsyncDisposable {
  readonly pid: number | undefined;
  /** Whether it has ended. */
  readonly isOver: boolean;
  /** How the statements that it has left at servers are ended: for after its death. */
  readonly openStatements: readonly StatementEnding[];
  call<M extends WorkerMethod>(method: M, params: ParamsOf<M>, options: CallOptions): Promise<ResultOf<M>>;
  /** Ends the worker rather than give it back: what it still does is in doubt. */
  discard(): void;
}

/** The pool's state, in the terms of Spark's allocation manager. */
export interface WorkerPoolStatus {
  /** Worker processes that live. */
  readonly now: number;
  /** Those that lease. */
  readonly busy: number;
  /** How many there should be: enough for all that wait, between `min` and `max`. */
  readonly wanted: number;
  /** Started, and not ready yet. */
  readonly pendingToAdd: number;
  /** Told to end, and still there. */
  readonly pendingToRemove: number;
  /** What leases and waiting together would take without a limit. */
  readonly maxNeeded: number;
  /** Who waits for a worker. */
  readonly queued: number;
  readonly min: number;
  readonly max: number;
  /** What one worker may take of memory. */
  readonly workerBytes: number;
  /** Private memory of all workers when they were last looked at. */
  readonly memoryBytes: number;
}

/** An elastic pool of loader workers. */
export interface WorkerPool extends AsyncDisposable {
  /**
   * Waits for a worker, and starts one where that is allowed. Where there may be several, loads leave one to interactive work.
   * Rejects with WORKER_CRASHED and its like where none can be started.
   */
  lease(purpose: LeasePurpose, options: LeaseOptions): Promise<WorkerLease>;
  /** How many workers one load may use at once. */
  readonly maxForLoads: number;
  /** The threads that a load's engine may take now, given how many workers load. */
  threadShare(): number;
  /** Starts the workers that are there from the beginning. */
  warmUp(): void;
  status(): WorkerPoolStatus;
}
