import { setImmediate } from "node:timers/promises";
import type { HistoryBounds, HistoryStore } from "./history.ts";
import type { OperationSnapshot } from "./model.ts";

export interface HistoryWriterOptions {
  readonly store: HistoryStore;
  readonly bounds: () => HistoryBounds;
  /** At most this many wait to be written; the oldest finished ones are left out beyond that. */
  readonly maxWaiting: number;
  readonly onError: (error: unknown) => void;
}

interface Writable {
  readonly id: string;
  snapshot(): OperationSnapshot;
}

const FLUSH_AFTER_MS = 250;
const PRUNE_EVERY_MS = 60_000;
const RETRY_AFTER_MS = 5_000;
/** Rows of one transaction: about a millisecond, so that the event loop hardly notices. */
const BATCH = 64;

/** Writes operations to the history behind the backs of those who run them. */
export class HistoryWriter implements AsyncDisposable {
  readonly #options: HistoryWriterOptions;
  readonly #waiting = new Map<string, Writable>();
  #timer: NodeJS.Timeout | undefined;
  #flushTime = Number.POSITIVE_INFINITY;
  #flushing: Promise<void> | undefined;
  #prunedAt = Number.NEGATIVE_INFINITY;
  #closed = false;

  constructor(options: HistoryWriterOptions) {
    this.#options = options;
  }

  /**
   * Will write the operation as it is when its turn comes; costs nothing now. `soon` is for what must be known after a
   * crash, and rare: others are written together a little later, so that one that ends before is written once.
   */
  add(operation: Writable, { soon }: { soon: boolean }): void {
    if (this.#closed) return;
    this.#waiting.delete(operation.id);
    this.#waiting.set(operation.id, operation);
    if (this.#waiting.size > this.#options.maxWaiting) this.#dropOldest();
    this.#schedule(soon ? 0 : FLUSH_AFTER_MS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    try {
      while (this.#waiting.size > 0 || this.#flushing) await this.#flush();
    } catch (error) {
      this.#options.onError(error);
    }
  }

  #schedule(afterMs: number): void {
    const time = performance.now() + afterMs;
    if (this.#closed || this.#flushTime <= time) return;
    clearTimeout(this.#timer);
    this.#flushTime = time;
    this.#timer = setTimeout(() => void this.#flushOnTime(), afterMs).unref();
  }

  async #flushOnTime(): Promise<void> {
    this.#flushTime = Number.POSITIVE_INFINITY;
    try {
      await this.#flush();
      if (this.#waiting.size > 0) this.#schedule(FLUSH_AFTER_MS);
    } catch (error) {
      this.#options.onError(error);
      this.#schedule(RETRY_AFTER_MS);
    }
  }

  /** Writes what waits now; one flush at a time. */
  #flush(): Promise<void> {
    this.#flushing ??= this.#write().finally(() => {
      this.#flushing = undefined;
    });
    return this.#flushing;
  }

  async #write(): Promise<void> {
    const now = [...this.#waiting.values()];
    for (let start = 0; start < now.length; start += BATCH) {
      const batch = now.slice(start, start + BATCH);
      for (const { id } of batch) this.#waiting.delete(id);
      try {
        await this.#options.store.save(batch.map((operation) => operation.snapshot()));
      } catch (error) {
        // What was added meanwhile is newer.
        for (const operation of batch) if (!this.#waiting.has(operation.id)) this.#waiting.set(operation.id, operation);
        throw error;
      }
      await setImmediate();
    }
    if (performance.now() - this.#prunedAt < PRUNE_EVERY_MS) return;
    this.#prunedAt = performance.now();
    await this.#options.store.prune(this.#options.bounds());
  }

  #dropOldest(): void {
    for (const { id } of this.#waiting.values()) {
      this.#waiting.delete(id);
      return;
    }
  }
}
