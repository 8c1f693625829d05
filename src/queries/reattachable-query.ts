import { formatDuration } from "../config/units.ts";
import { DriverError } from "../errors/driver-error.ts";
import { keptError } from "../operations/kept-error.ts";
import type { OperationProgress } from "../operations/model.ts";
import type { EventSink } from "./event-stream.ts";
import type { NumberedEvent, QueryCompletion, QueryEvent } from "./events.ts";
import { type KeptEvent, keepEvent, restoreEvent } from "./kept-event.ts";
import { LatestProgress } from "./latest-progress.ts";
import type { Spool, Spools } from "./spool.ts";

export interface ReattachableQueryOptions {
  readonly id: string;
  readonly spools: Spools<KeptEvent>;
  /** How long it goes on without a reader. */
  readonly detachedTimeoutMs: number;
  /** How long its end is kept. */
  readonly resultTtlMs: number;
  /** Cancels the query. */
  readonly stop: (reason: DriverError) => void;
  /** Called when a reader comes who is not the first. */
  readonly onReattach: (outcome: "resumed" | "expired") => void;
  /** Called when nothing is kept of it any more. */
  readonly onGone: () => void;
}

/** Who reads it now. */
interface Reader {
  /** Why it may not go on. */
  reason?: unknown;
  wake?: () => void;
  off: () => void;
}

/** A query whose events are numbered and kept for a while, so that another reader can go on where one was cut off. */
export class ReattachableQuery implements EventSink {
  readonly #options: ReattachableQueryOptions;
  readonly #spool: Spool<KeptEvent>;
  readonly #progress = new LatestProgress();
  /** The newest event as it was made: an attentive reader needs no copy of its rows. */
  #fresh: NumberedEvent | undefined;
  #end: { readonly error?: DriverError } | undefined;
  #reader: Reader | undefined;
  #wakeWriter: (() => void) | undefined;
  #detached: NodeJS.Timeout | undefined;
  #expired = false;
  #kept: NodeJS.Timeout | undefined;
  #owed = false;
  #attached = false;

  constructor(options: ReattachableQueryOptions) {
    this.#options = options;
    this.#spool = options.spools.open(() => this.#gone());
    this.#add({ type: "accepted", operationId: options.id });
    this.#detached = this.#countDown();
  }

  /** Whether it has ended and its reader, who was cut off, may still come for the rest. */
  get owed(): boolean {
    return this.#owed;
  }

  /** It never began. */
  discard(): void {
    this.#spool.drop();
  }

  async push(event: QueryEvent, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    signal.throwIfAborted();
    const made = keepEvent(event);
    while (!this.#spool.hasRoom(made.bytes)) {
      await this.#room(signal);
      signal.throwIfAborted();
    }
    this.#add(event, made);
  }

  offerProgress(progress: OperationProgress): void {
    if (this.#progress.offer(progress)) this.#reader?.wake?.();
  }

  /** It has succeeded. */
  complete(completion: QueryCompletion): void {
    this.#add({ type: "completed", completion });
    this.#ended({});
  }

  /** It has failed or was cancelled: what was not read of it is of no use any more. */
  fail(error: DriverError): void {
    this.#spool.clear();
    this.#fresh = undefined;
    const reader = this.#reader;
    this.#ended({ error: keptError(error) });
    // With its causes, for the log.
    if (reader !== undefined) this.#dismiss(reader, error);
  }

  /**
   * The events after one, each once; the reader before, if there is one, is cut off. Leaving the loop or aborting the
   * signal detaches the query. Throws RESULT_EXPIRED, INVALID_REQUEST, and the query's error when it fails.
   */
  async *readAfter(eventId: number, { signal }: { readonly signal: AbortSignal }): AsyncGenerator<NumberedEvent, void> {
    const reader = this.#attach(eventId, signal);
    try {
      for (;;) {
        if ("reason" in reader) throw reader.reason;
        const event = this.#next();
        if (event !== undefined) yield event;
        else if (this.#end !== undefined) return;
        else
          await new Promise<void>((resolve) => {
            reader.wake = resolve;
          });
      }
    } finally {
      this.#dismiss(reader, undefined);
    }
  }

  #attach(eventId: number, signal: AbortSignal): Reader {
    signal.throwIfAborted();
    this.#refuseGap(eventId);
    // The spool is not left in between: ended and unread, it might be dropped.
    if (this.#reader !== undefined) this.#cutOff(this.#reader, takenOver(this.#options.id));
    clearTimeout(this.#detached);
    this.#owed = false;
    const abort = () => this.#leave(reader, signal.reason);
    const reader: Reader = { off: () => signal.removeEventListener("abort", abort) };
    signal.addEventListener("abort", abort, { once: true });
    this.#reader = reader;
    if (this.#attached) this.#options.onReattach("resumed");
    this.#attached = true;
    this.#spool.readAfter(eventId);
    this.#wakeWriter?.();
    return reader;
  }

  #refuseGap(eventId: number): void {
    const gap = this.#spool.gapAfter(eventId);
    const { id } = this.#options;
    if (gap === "beyond") {
      const made = `the query "${id}" has made ${this.#spool.lastId} events so far`;
      throw new DriverError("INVALID_REQUEST", `after_event_id: ${made}`, {
        metadata: { operation: id, lastEventId: String(this.#spool.lastId) },
        violations: [{ field: "after_event_id", description: made }],
      });
    }
    if (this.#end?.error) throw this.#end.error;
    if (gap === "expired") {
      this.#options.onReattach("expired");
      throw new DriverError(
        "RESULT_EXPIRED",
        `of the query "${id}" only what comes after event ${this.#spool.firstId - 1} is kept`,
        {
          metadata: { operation: id, firstEventId: String(this.#spool.firstId) },
        },
      );
    }
  }

  #next(): NumberedEvent | undefined {
    const kept = this.#spool.take();
    if (kept === undefined) {
      // Nothing comes after the last event.
      const progress = this.#end === undefined ? this.#progress.take() : undefined;
      return progress && { type: "progress", progress };
    }
    this.#wakeWriter?.();
    const fresh = this.#fresh;
    return fresh?.eventId === kept.id ? fresh : restoreEvent(kept.item, kept.id);
  }

  /** The call ended. A reader that stalled has shown that it does not want the rest; one that was cut off may come back. */
  #leave(reader: Reader, reason: unknown): void {
    if (this.#reader !== reader) return;
    const stalled = reason instanceof DriverError && reason.reason === "READER_TOO_SLOW";
    this.#dismiss(reader, reason);
    if (stalled && this.#end === undefined) this.#options.stop(reason);
  }

  /** The query has no reader now. */
  #dismiss(reader: Reader, reason: unknown): void {
    if (!this.#cutOff(reader, reason)) return;
    this.#owed = this.#end !== undefined && this.#end.error === undefined && !this.#spool.read;
    this.#detached = this.#countDown();
    this.#spool.leave();
    if (this.#expired) this.#spool.drop();
    this.#wakeWriter?.();
  }

  /** Takes the query from a reader; answers whether it had it. With a reason the reader learns it. */
  #cutOff(reader: Reader, reason: unknown): boolean {
    reader.off();
    if (this.#reader !== reader) return false;
    if (reason !== undefined) reader.reason = reason;
    this.#reader = undefined;
    reader.wake?.();
    return true;
  }

  #countDown(): NodeJS.Timeout {
    const { detachedTimeoutMs, stop } = this.#options;
    return setTimeout(() => {
      this.#owed = false;
      if (this.#end === undefined) stop(deserted(detachedTimeoutMs));
    }, detachedTimeoutMs).unref();
  }

  #ended(end: { readonly error?: DriverError }): void {
    this.#end = end;
    this.#owed = end.error === undefined && this.#reader === undefined;
    const { resultTtlMs } = this.#options;
    this.#kept = setTimeout(() => {
      this.#expired = true;
      if (this.#reader === undefined) this.#spool.drop();
    }, resultTtlMs).unref();
    this.#reader?.wake?.();
    this.#spool.end();
  }

  #gone(): void {
    clearTimeout(this.#kept);
    clearTimeout(this.#detached);
    this.#owed = false;
    this.#fresh = undefined;
    this.#options.onGone();
  }

  #add(event: QueryEvent, { kept, bytes } = keepEvent(event)): void {
    this.#fresh = { ...event, eventId: this.#spool.add(kept, bytes) };
    this.#reader?.wake?.();
  }

  /** Settles when there may be room, or the signal is aborted. */
  #room(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        signal.removeEventListener("abort", wake);
        off();
        this.#wakeWriter = undefined;
        resolve();
      };
      const off = this.#options.spools.onRoom(wake);
      signal.addEventListener("abort", wake, { once: true });
      this.#wakeWriter = wake;
    });
  }
}

function takenOver(id: string): DriverError {
  return new DriverError("CANCELLED", `another reader has taken the query "${id}" over`, {
    metadata: { operation: id, takenOver: "true" },
  });
}

function deserted(timeoutMs: number): DriverError {
  const limit = formatDuration(timeoutMs);
  return new DriverError("CANCELLED", `the query had no reader for limits.detachedTimeout (${limit})`, {
    metadata: { detachedTimeout: limit },
  });
}
