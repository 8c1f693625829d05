import { abortError, clientError, type DroverError } from "../errors.ts";
import type { DriverEvent } from "../model.ts";

/** What one reader may leave unread. */
const maxUnread = 1_000;

/** Hands the driver's events to those who read them. */
export class EventHub {
  readonly #readers = new Set<Reader>();
  /** The driver that is attached to; a reader is told it first. */
  #attached: string | undefined;
  #closed = false;

  emit(event: DriverEvent): void {
    if (event.type === "attached") this.#attached = event.instanceId;
    for (const reader of this.#readers) reader.add(event);
  }

  /** The attachment is lost: the next one is told. */
  detached(): void {
    this.#attached = undefined;
  }

  /** There will be no events for those who read now. */
  fail(error: DroverError): void {
    for (const reader of this.#readers) reader.fail(error);
  }

  close(): void {
    this.#closed = true;
    for (const reader of this.#readers) reader.wake();
  }

  async *read(signal: AbortSignal | undefined): AsyncGenerator<DriverEvent, void, undefined> {
    const reader = new Reader();
    if (this.#attached !== undefined) reader.add({ type: "attached", instanceId: this.#attached });
    this.#readers.add(reader);
    const wake = () => reader.wake();
    signal?.addEventListener("abort", wake, { once: true });
    try {
      for (;;) {
        if (signal?.aborted) throw abortError(signal.reason);
        if (this.#closed) throw clientError("CLIENT_CLOSED", "the client is closed");
        if (reader.failure !== undefined) throw reader.failure;
        const event = reader.take(this.#attached);
        if (event === undefined) await reader.news();
        else yield event;
      }
    } finally {
      signal?.removeEventListener("abort", wake);
      this.#readers.delete(reader);
    }
  }
}

class Reader {
  #events: DriverEvent[] = [];
  #missed = false;
  #failure: DroverError | undefined;
  #news: PromiseWithResolvers<void> | undefined;

  /** A reader that is far behind is told to look anew instead. */
  add(event: DriverEvent): void {
    if (this.#events.length >= maxUnread) {
      this.#events = [];
      this.#missed = true;
    }
    this.#events.push(event);
    this.wake();
  }

  take(attached: string | undefined): DriverEvent | undefined {
    if (this.#missed && attached !== undefined) {
      this.#missed = false;
      return { type: "attached", instanceId: attached };
    }
    return this.#events.shift();
  }

  get failure(): DroverError | undefined {
    return this.#failure;
  }

  fail(error: DroverError): void {
    this.#failure = error;
    this.wake();
  }

  wake(): void {
    this.#news?.resolve();
  }

  async news(): Promise<void> {
    this.#news = Promise.withResolvers();
    await this.#news.promise;
    this.#news = undefined;
  }
}
