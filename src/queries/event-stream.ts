import type { OperationProgress } from "../operations/model.ts";
import type { QueryEvent } from "./events.ts";
import { LatestProgress } from "./latest-progress.ts";

/** Where a query puts its events. */
export interface EventSink<E = QueryEvent> {
  /** Resolves once there is room for the next event. Rejects with the signal's reason when it is aborted. */
  push(event: E, options: { readonly signal: AbortSignal }): Promise<void>;
  offerProgress(progress: OperationProgress): void;
}

interface ProgressEvent {
  readonly type: "progress";
  readonly progress: OperationProgress;
}

/**
 * Hands events from a query to its reader. `push` waits while the reader has not taken the event before, so a slow reader
 * slows the query and nothing piles up. Of progress only the latest unread one is kept.
 */
export class EventStream<E extends object = QueryEvent> implements EventSink<E> {
  /** One event at most waits to be read while the next one is made. */
  #waiting: E | undefined;
  readonly #progress = new LatestProgress();
  #ended = false;
  #wakeReader: (() => void) | undefined;
  #wakeWriter: (() => void) | undefined;

  /** Resolves once the event before was read. Rejects with the signal's reason when it is aborted. */
  async push(event: E, { signal }: { readonly signal: AbortSignal }): Promise<void> {
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
    if (this.#progress.offer(progress)) this.#wakeReader?.();
  }

  /** No more events come. */
  end(): void {
    this.#ended = true;
    this.#wakeReader?.();
  }

  /** The events until the end, each once. For one reader. */
  async *events(): AsyncGenerator<E | ProgressEvent, void, undefined> {
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

  #take(): E | ProgressEvent | undefined {
    const event = this.#waiting;
    if (event !== undefined) {
      this.#waiting = undefined;
      this.#wakeWriter?.();
      return event;
    }
    // Nothing comes after the last event, and how far the query was is no news then.
    const progress = this.#ended ? undefined : this.#progress.take();
    return progress && { type: "progress", progress };
  }
}
