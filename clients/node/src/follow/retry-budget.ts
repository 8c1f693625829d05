/** How much may be repeated. */
export interface RetryBudgetOptions {
  /** What it holds at first and at most. Default: 10. */
  readonly tokens?: number | undefined;
  /** What a call that succeeded gives back. Default: 0.1. */
  readonly perSuccess?: number | undefined;
  /** What each minute gives back. Default: 1. */
  readonly perMinute?: number | undefined;
  /** A clock in milliseconds that nobody sets. */
  readonly now?: (() => number) | undefined;
}

/**
 * Keeps repeated calls from burying drivers that are in trouble: a repetition costs a token, a success gives a part of one back.
 * Calls that failed together with one connection were not what hurt it: that loss costs one token for all of them, and
 * a call pays for itself from its second repetition on. Time gives back as well: who asks seldom loses its driver (which ends when it
 * is idle) more often than its few successes would pay for.
 */
export class RetryBudget {
  readonly #max: number;
  readonly #perSuccess: number;
  readonly #perMs: number;
  readonly #now: () => number;
  #tokens: number;
  #countedAt: number;
  readonly #paid = new WeakSet<object>();

  constructor({
    tokens = 10,
    perSuccess = 0.1,
    perMinute = 1,
    now = performance.now.bind(performance),
  }: RetryBudgetOptions = {}) {
    this.#max = tokens;
    this.#tokens = tokens;
    this.#perSuccess = perSuccess;
    this.#perMs = perMinute / 60_000;
    this.#now = now;
    this.#countedAt = now();
  }

  succeeded(): void {
    this.#give(this.#perSuccess);
  }

  /** Pays for a repetition after the loss of a connection; false where nothing is left. */
  pay(connection: object, repetition: number): boolean {
    if (repetition === 1 && this.#paid.has(connection)) return true;
    const now = this.#now();
    this.#give((now - this.#countedAt) * this.#perMs);
    this.#countedAt = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    this.#paid.add(connection);
    return true;
  }

  #give(tokens: number): void {
    this.#tokens = Math.min(this.#max, this.#tokens + tokens);
  }
}
