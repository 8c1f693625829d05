/** Wakes those who wait for something to happen. `throttled` ones are not woken by a mere progress. */
export class Changes {
  readonly #waiting = new Set<() => void>();
  readonly #throttled = new Set<() => void>();

  progress(): void {
    wake(this.#waiting);
  }

  all(): void {
    wake(this.#waiting);
    wake(this.#throttled);
  }

  /** Settles at the next change or, when throttled, after `throttleMs`; rejects with the signal's reason. */
  next(signal: AbortSignal, throttleMs: number): Promise<void> {
    const waiters = throttleMs > 0 ? this.#throttled : this.#waiting;
    return new Promise((resolve, reject) => {
      const leave = () => {
        clearTimeout(timer);
        waiters.delete(done);
        signal.removeEventListener("abort", abort);
      };
      const done = () => {
        leave();
        resolve();
      };
      const abort = () => {
        leave();
        reject(signal.reason);
      };
      const timer = throttleMs > 0 ? setTimeout(done, throttleMs) : undefined;
      waiters.add(done);
      signal.addEventListener("abort", abort, { once: true });
    });
  }
}

function wake(waiters: Set<() => void>): void {
  for (const waiter of [...waiters]) waiter();
}
