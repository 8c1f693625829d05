import type { LeasePurpose } from "./model.ts";

/** Somebody who waits for a worker. */
export interface Waiter<T> {
  readonly purpose: LeasePurpose;
  /** The hash of the library set that the worker must have; undefined for the built-in one. */
  readonly set: string | undefined;
  readonly resolve: (given: T) => void;
  readonly reject: (error: unknown) => void;
  /** How often somebody behind was served while there was no worker with this set. */
  passed?: number;
}

/** Who is served first when a worker becomes free. */
const RANK: Readonly<Record<LeasePurpose, number>> = { interactive: 0, first: 1, more: 2 };

/** Appends never cease to ask: while loads wait, every so many workers go to one of them. */
const LOAD_TURN = 4;
/** A worker with another set takes a moment to start: what is short may go before, so often. */
const MAX_PASSED = 4;

/** Those who wait for workers, and whose turn it is. */
export class WaitingLine<T> {
  readonly #waiting: Waiter<T>[] = [];
  /** How many interactive ones were served while a load could have been. */
  #givenSinceLoad = 0;

  get length(): number {
    return this.#waiting.length;
  }

  get interactive(): number {
    return this.#waiting.filter(({ purpose }) => purpose === "interactive").length;
  }

  join(waiter: Waiter<T>): void {
    this.#waiting.push(waiter);
  }

  leave(waiter: Waiter<T>): void {
    const at = this.#waiting.indexOf(waiter);
    if (at >= 0) this.#waiting.splice(at, 1);
  }

  leaveAll(): readonly Waiter<T>[] {
    return this.#waiting.splice(0);
  }

  /** Who waits longest for a worker with this set. */
  longest(set: string | undefined): Waiter<T> | undefined {
    return this.#waiting.find((waiter) => waiter.set === set);
  }

  /** In the order in which they are served, were there a worker for each: so many loads at most. */
  inOrder(loads: number): readonly Waiter<T>[] {
    const ranked = [...this.#waiting].sort((one, other) => RANK[one.purpose] - RANK[other.purpose]);
    const short = ranked.filter(({ purpose }) => purpose === "interactive");
    const [next, ...more] = ranked.filter(({ purpose }) => purpose !== "interactive").slice(0, Math.max(0, loads));
    if (next === undefined) return short;
    return this.#givenSinceLoad >= LOAD_TURN - 1 ? [next, ...short, ...more] : [...short, next, ...more];
  }

  /**
   * Takes out whoever gets a free worker with this set; nobody where it had better give way. `hasWorker` tells whether one with the set
   * of the first in line is free, on its way, or may be started.
   */
  take(
    set: string | undefined,
    { loads, hasWorker }: { readonly loads: number; readonly hasWorker: (set: string | undefined) => boolean },
  ): Waiter<T> | undefined {
    const [first, ...rest] = this.inOrder(loads);
    if (first === undefined) return undefined;
    let next: Waiter<T> | undefined = first;
    if (first.set !== set) {
      next = rest.find((waiter) => waiter.set === set);
      if (next === undefined) return undefined;
      if (!hasWorker(first.set)) {
        const passed = first.passed ?? 0;
        if (next.purpose !== "interactive" || passed >= MAX_PASSED) return undefined;
        first.passed = passed + 1;
      }
    }
    const mayLoad = loads > 0 && this.#waiting.length > this.interactive;
    this.#givenSinceLoad = mayLoad && next.purpose === "interactive" ? this.#givenSinceLoad + 1 : 0;
    this.leave(next);
    return next;
  }
}
