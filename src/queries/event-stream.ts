import type { OperationProgress } from "../operations/model.ts";
import type { QueryEvent } from "./events.ts";

const PROGRESS_INTERVAL_MS = 100;

/**
 * Hands events from a query to its reader. `push` waits while the reader has not taken the event before, so a slow reader
 * slows the query and nothing piles up. Of progress only the latest unread one is kept.
 */
export class EventStream {
  /** One event at most waits to be read while the next one is made. */
  #waiting: QueryEvent | undefined;
  #progress: OperationProgress | undefined;
  #lastProgress = Number.NEGATIVE_INFINITY;
  #ended = false;
  #wakeReader: (() => void) | undefined;
  #wakeWriter: (() => void) | undefined;

  /** Resolves once the event before was read. Rejects with the signal's reason when it is aborted. */
  async push(event: QueryEvent, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    signal.throwIfAborted();
    while (this.#waiting !== undefined) {
      await this.#read(signal);
      signal.throwIfAborted();
    }
    this.#waiting = event;
    this.#wakeReader?.();
  }

  #read(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        signal.removeEventListener("abort", wake);
        resolve();
      };
      signal.addEventListener("abort", wake, { once: true });
      this.#wakeWriter = wake;
    });
  }

  /** Replaces the progress that was not read yet; dropped when the last one is less than 100 ms old. */
  offerProgress(progress: OperationProgress): void {
    const now = performance.now();
    // Timers fire a little early at times, which must not halve the rate.
    if (now - this.#lastProgress < PROGRESS_INTERVAL_MS - 5) return;
    this.#lastProgress = now;
    this.#progress = progress;
    this.#wakeReader?.();
  }

  /** No more events come. */
  end(): void {
    this.#ended = true;
    this.#wakeReader?.();
  }

  /** The events until the end, each once. For one reader. */
  async *events(): AsyncGenerator<QueryEvent, void, undefined> {
    for (;;) {
      const event = this.#take();
      if (event !== undefined) yield event;
      else if (this.#ended) return;
      else
        await new Promise<void>((resolve) => {
          this.#wakeReader = resolve;
        });
    }
  }

  #take(): QueryEvent | undefined {
    const event = this.#waiting;
    if (event !== undefined) {
      this.#waiting = undefined;
      this.#wakeWriter?.();
      return event;
    }
    const progress = this.#progress;
    this.#progress = undefined;
    return progress && { type: "progress", progress };
  }
}
