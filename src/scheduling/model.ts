export type Lane = "interactive" | "batch";

export interface AcquireOptions {
  readonly signal: AbortSignal;
  readonly lane: Lane;
  /** Whose turn it is: places are given to callers in turn, not to the one who asks most. */
  readonly caller: string;
}

/** A place in a pool; give it back by disposing it, once or more. */
export interface Permit extends Disposable {
  readonly queuedMs: number;
}

export interface PoolStatus {
  readonly name: string;
  readonly size: number;
  readonly running: number;
  readonly queued: number;
  readonly maxQueued: number;
}

/**
 * A share of the machine. The batch lane never has all places of a pool of two or more: one is always left to the
 * interactive lane. While both wait, the batch lane gets every fourth place, so that neither starves.
 */
export interface Pool {
  /** Waits for a place. Throws POOL_FULL at once when the queue is full. */
  acquire(options: AcquireOptions): Promise<Permit>;
  status(): PoolStatus;
}
