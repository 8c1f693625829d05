import { DriverError } from "../../errors/driver-error.ts";
import type { Connection } from "./connection.ts";

/** A connection for one statement. Give it back with `release`, once. */
export interface Lease {
  readonly connection: Connection;
  /** `broken`: the connection's state is unknown; it is closed instead of used again. */
  release(broken?: boolean): void;
}

interface Waiter {
  readonly resolve: (lease: Lease) => void;
  readonly reject: (error: unknown) => void;
}

/** At most `size` connections, opened when they are first needed and then kept: opening one costs about 1 ms. */
export class ConnectionPool implements AsyncDisposable {
  readonly #open: () => Promise<Connection>;
  readonly #size: number;
  readonly #idle: Connection[] = [];
  readonly #waiters = new Set<Waiter>();
  readonly #leased = new Set<Lease>();
  #opened = 0;
  #closed = false;
  #drained: (() => void) | undefined;

  constructor(open: () => Promise<Connection>, size: number) {
    this.#open = open;
    this.#size = size;
  }

  /** Connections that are lent now. */
  get leased(): number {
    return this.#leased.size;
  }

  /** Connections that are open, lent or not. */
  get opened(): number {
    return this.#opened;
  }

  /** Lends a connection, in the order of asking. Rejects with the signal's reason, or NOT_SERVING after the end. */
  async acquire(signal: AbortSignal): Promise<Lease> {
    signal.throwIfAborted();
    if (this.#closed) throw closedError();
    const idle = this.#idle.pop();
    if (idle) return this.#lend(idle);
    if (this.#opened < this.#size) return this.#openOne();
    return this.#wait(signal);
  }

  /** Refuses new work and waits until all connections are back. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const { reject } of this.#waiters) reject(closedError());
    this.#waiters.clear();
    for (const connection of this.#idle.splice(0)) this.#close(connection);
    if (this.#opened > 0) await new Promise<void>((resolve) => (this.#drained = resolve));
  }

  async #openOne(): Promise<Lease> {
    this.#opened++;
    try {
      return this.#lend(await this.#open());
    } catch (error) {
      this.#opened--;
      this.#settle();
      // There is room for one now, and nobody else may come by to tell the next in line.
      this.#openForWaiter();
      throw error;
    }
  }

  #wait(signal: AbortSignal): Promise<Lease> {
    return new Promise((resolve, reject) => {
      const abort = () => {
        this.#waiters.delete(waiter);
        reject(signal.reason);
      };
      const done = () => signal.removeEventListener("abort", abort);
      const waiter: Waiter = {
        resolve: (lease) => {
          done();
          resolve(lease);
        },
        reject: (error) => {
          done();
          reject(error);
        },
      };
      this.#waiters.add(waiter);
      signal.addEventListener("abort", abort, { once: true });
    });
  }

  #lend(connection: Connection): Lease {
    const lease: Lease = {
      connection,
      release: (broken = false) => {
        if (this.#leased.delete(lease)) this.#takeBack(connection, broken);
      },
    };
    this.#leased.add(lease);
    return lease;
  }

  #takeBack(connection: Connection, broken: boolean): void {
    if (broken || this.#closed) {
      this.#close(connection);
      this.#openForWaiter();
      return;
    }
    const waiter = this.#firstWaiter();
    if (waiter) waiter.resolve(this.#lend(connection));
    else this.#idle.push(connection);
  }

  #openForWaiter(): void {
    const waiter = this.#firstWaiter();
    if (waiter) this.#openOne().then(waiter.resolve, waiter.reject);
  }

  #firstWaiter(): Waiter | undefined {
    const [waiter] = this.#waiters;
    if (waiter) this.#waiters.delete(waiter);
    return waiter;
  }

  #close(connection: Connection): void {
    connection[Symbol.dispose]();
    this.#opened--;
    this.#settle();
  }

  #settle(): void {
    if (this.#closed && this.#opened === 0) this.#drained?.();
  }
}

function closedError(): DriverError {
  return new DriverError("NOT_SERVING", "the engine is closed");
}
