/** How a driver is asked to end. */
export interface EndRequest {
  /** In words, for the log and for attached clients. */
  readonly reason: string;
  /** How long running work may take to finish, from now. */
  readonly timeoutMs: number;
}

/** A driver that drains. */
export interface Draining {
  readonly reason: string;
  readonly deadline: Date;
  /** The same by a clock that nobody sets: `performance.now()` then. */
  readonly deadlineMs: number;
}

/**
 * The one place where the driver's end is asked for: by RPCs, signals and the rules of its lifetime. Whoever asks again can
 * only bring the deadline forward.
 */
export class DriverControl {
  #draining: Draining | undefined;
  readonly #first = Promise.withResolvers<void>();
  readonly #watchers = new Set<(draining: Draining) => void>();

  /** What was asked for last that counts; undefined while the driver is to go on. */
  get draining(): Draining | undefined {
    return this.#draining;
  }

  /** Settles when the driver is asked to end for the first time. */
  get asked(): Promise<void> {
    return this.#first.promise;
  }

  /** Asks the driver to drain and end. Answers what counts now. */
  end({ reason, timeoutMs }: EndRequest): Draining {
    const deadlineMs = performance.now() + timeoutMs;
    if (this.#draining === undefined || deadlineMs < this.#draining.deadlineMs) {
      const deadline = new Date(Date.now() + timeoutMs);
      this.#draining = { reason: this.#draining?.reason ?? reason, deadline, deadlineMs };
      this.#first.resolve();
      for (const watcher of [...this.#watchers]) watcher(this.#draining);
    }
    return this.#draining;
  }

  /** Calls `watcher` at every change until the answer is called. */
  onChange(watcher: (draining: Draining) => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }
}
