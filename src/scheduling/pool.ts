import { DriverError } from "../errors/driver-error.ts";
import type { AcquireOptions, Lane, Permit, Pool, PoolStatus } from "./model.ts";
import { WaitingLine } from "./waiting-line.ts";

export interface PoolOptions {
  /** Shown in the status and in errors. */
  readonly name: string;
  /** Places: how many may run at once. At least 1. */
  readonly size: number;
  /** How many may wait, both lanes together; 0 refuses whatever can't run at once. */
  readonly maxQueued: number;
}

/** While both lanes wait, every so many places given go to the batch lane, so that it always moves. */
const BATCH_TURN = 4;

interface Waiter {
  readonly lane: Lane;
  readonly since: number;
  readonly grant: (permit: Permit) => void;
}

/** Makes a pool. `acquire` rejects with the signal's reason when it is aborted, and with POOL_FULL when too many wait. */
export function createPool(options: PoolOptions): Pool {
  if (!Number.isInteger(options.size) || options.size < 1) throw new RangeError(`pool size ${options.size}`);
  return new FairPool(options);
}

class FairPool implements Pool {
  readonly #options: PoolOptions;
  readonly #lines = { interactive: new WaitingLine<Waiter>(), batch: new WaitingLine<Waiter>() };
  readonly #running = { interactive: 0, batch: 0 };
  /** Of a pool of two or more one place is never the batch lane's. */
  readonly #maxBatch: number;
  #givenSinceBatch = 0;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#maxBatch = Math.max(1, options.size - 1);
  }

  acquire({ signal, lane, caller }: AcquireOptions): Promise<Permit> {
    if (signal.aborted) return Promise.reject(signal.reason);
    // Whenever a place becomes free it is given away at once, so a lane with a free place has nobody waiting.
    if (this.#admits(lane)) return Promise.resolve(this.#take(lane, 0));
    if (this.#queued() >= this.#options.maxQueued) return Promise.reject(this.#full());
    return this.#wait(signal, lane, caller);
  }

  status(): PoolStatus {
    const { name, size, maxQueued } = this.#options;
    return { name, size, running: this.#total(), queued: this.#queued(), maxQueued };
  }

  #wait(signal: AbortSignal, lane: Lane, caller: string): Promise<Permit> {
    const line = this.#lines[lane];
    return new Promise((resolve, reject) => {
      const abort = () => {
        if (line.remove(caller, waiter)) reject(signal.reason);
      };
      const waiter: Waiter = {
        lane,
        since: performance.now(),
        grant: (permit) => {
          signal.removeEventListener("abort", abort);
          resolve(permit);
        },
      };
      line.add(caller, waiter);
      signal.addEventListener("abort", abort, { once: true });
    });
  }

  #take(lane: Lane, queuedMs: number): Permit {
    this.#running[lane]++;
    this.#givenSinceBatch = lane === "batch" ? 0 : this.#givenSinceBatch + 1;
    let held = true;
    return {
      queuedMs,
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        this.#running[lane]--;
        this.#dispatch();
      },
    };
  }

  #dispatch(): void {
    for (let waiter = this.#next(); waiter !== undefined; waiter = this.#next()) {
      waiter.grant(this.#take(waiter.lane, performance.now() - waiter.since));
    }
  }

  #next(): Waiter | undefined {
    const { interactive, batch } = this.#lines;
    if (this.#total() >= this.#options.size) return undefined;
    const batchMayGo = batch.size > 0 && this.#admits("batch");
    const batchTurn = interactive.size === 0 || this.#givenSinceBatch >= BATCH_TURN - 1;
    return batchMayGo && batchTurn ? batch.take() : interactive.take();
  }

  #admits(lane: Lane): boolean {
    return this.#total() < this.#options.size && (lane === "interactive" || this.#running.batch < this.#maxBatch);
  }

  #total(): number {
    return this.#running.interactive + this.#running.batch;
  }

  #queued(): number {
    return this.#lines.interactive.size + this.#lines.batch.size;
  }

  #full(): DriverError {
    const { name, size, maxQueued } = this.#options;
    const queued = this.#queued();
    return new DriverError(
      "POOL_FULL",
      `the pool "${name}" is full: ${this.#total()} of ${size} places taken, ${queued} of ${maxQueued} may wait`,
      { metadata: { pool: name, size: String(size), queued: String(queued), maxQueued: String(maxQueued) } },
    );
  }
}
