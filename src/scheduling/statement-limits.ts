import type { Permit } from "./model.ts";
import { WaitingLine } from "./waiting-line.ts";

export interface StatementOptions {
  readonly signal: AbortSignal;
  /** Whose turn it is: places are given to callers in turn, not to the one who asks most. */
  readonly caller: string;
}

/** The places of a connection. */
export interface StatementStatus {
  readonly connection: string;
  readonly limit: number;
  readonly running: number;
  readonly waiting: number;
}

/** How many statements run at once on a connection, whichever workers run them. */
export interface StatementLimits {
  /**
   * Waits for a place among the statements of a connection. The limit of the latest call counts, also for those that wait.
   * Rejects with the signal's reason.
   */
  acquire(connection: string, limit: number, options: StatementOptions): Promise<Permit>;
  /** The connections that are in use, by name. */
  status(): readonly StatementStatus[];
}

export function createStatementLimits(): StatementLimits {
  return new Limits();
}

interface Waiter {
  readonly since: number;
  readonly grant: (permit: Permit) => void;
}

interface Places {
  limit: number;
  running: number;
  readonly line: WaitingLine<Waiter>;
}

class Limits implements StatementLimits {
  /** Connections that are in use: an entry goes with its last statement. */
  readonly #connections = new Map<string, Places>();

  acquire(connection: string, limit: number, { signal, caller }: StatementOptions): Promise<Permit> {
    if (!Number.isInteger(limit) || limit < 1) return Promise.reject(new RangeError(`limit of statements ${limit}`));
    if (signal.aborted) return Promise.reject(signal.reason);
    const places = this.#connections.get(connection) ?? { limit, running: 0, line: new WaitingLine<Waiter>() };
    this.#connections.set(connection, places);
    places.limit = limit;
    // Those who wait come first where the limit has grown.
    this.#dispatch(connection, places);
    if (places.running < limit) return Promise.resolve(this.#take(connection, places, 0));
    return new Promise((resolve, reject) => {
      const abort = () => {
        if (places.line.remove(caller, waiter)) reject(signal.reason);
      };
      const waiter: Waiter = {
        since: performance.now(),
        grant: (permit) => {
          signal.removeEventListener("abort", abort);
          resolve(permit);
        },
      };
      places.line.add(caller, waiter);
      signal.addEventListener("abort", abort, { once: true });
    });
  }

  status(): readonly StatementStatus[] {
    return [...this.#connections]
      .map(([connection, { limit, running, line }]) => ({ connection, limit, running, waiting: line.size }))
      .sort((left, right) => (left.connection < right.connection ? -1 : 1));
  }

  #take(connection: string, places: Places, queuedMs: number): Permit {
    places.running++;
    let held = true;
    return {
      queuedMs,
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        places.running--;
        this.#dispatch(connection, places);
        if (places.running === 0) this.#connections.delete(connection);
      },
    };
  }

  #dispatch(connection: string, places: Places): void {
    while (places.running < places.limit) {
      const waiter = places.line.take();
      if (waiter === undefined) return;
      waiter.grant(this.#take(connection, places, performance.now() - waiter.since));
    }
  }
}
