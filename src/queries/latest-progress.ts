import type { OperationProgress } from "../operations/model.ts";

const PROGRESS_INTERVAL_MS = 100;

/** Of progress only the latest is kept until it is taken, and at most 10 times a second. */
export class LatestProgress {
  #progress: OperationProgress | undefined;
  #last = Number.NEGATIVE_INFINITY;

  /** Replaces what was not taken yet; answers false where the last one is less than 100 ms old, and drops it. */
  offer(progress: OperationProgress): boolean {
    const now = performance.now();
    // Timers fire a little early at times, which must not halve the rate.
    if (now - this.#last < PROGRESS_INTERVAL_MS - 5) return false;
    this.#last = now;
    this.#progress = progress;
    return true;
  }

  take(): OperationProgress | undefined {
    const progress = this.#progress;
    this.#progress = undefined;
    return progress;
  }
}
