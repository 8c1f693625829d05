import { setTimeout } from "node:timers/promises";
import { DriverError } from "../../errors/driver-error.ts";
import type { OperationHandle } from "../../operations/model.ts";
import { pinIfThere } from "./extend-version.ts";
import { flush, requireStep } from "./flush.ts";
import type { Merging } from "./merging.ts";
import type { AppendPart, AppendRequest, AppendStatus } from "./model.ts";
import type { AppendServiceParts } from "./parts.ts";
import { createRowBuffer, MAX_BUFFERED_BYTES, type RowBuffer } from "./row-buffer.ts";

/** How long rows wait for others of their flush. */
const FLUSH_AFTER_MS = 300;

export interface AppendRunOptions {
  readonly parts: AppendServiceParts;
  readonly merging: Merging;
  readonly request: AppendRequest;
  readonly handle: OperationHandle;
  /** Aborted when the stream shall end with what it has sent so far, for the reason that is given. */
  readonly leave: AbortSignal;
}

/** One stream of rows: takes them in while those before are written. */
export class AppendRun {
  readonly #options: AppendRunOptions;
  readonly #buffer: RowBuffer;
  /** Aborted with the first error of a flush. */
  readonly #failed = new AbortController();
  /** For a flush. */
  readonly #signal: AbortSignal;
  #durable: number;
  #version = 0;
  #finished = false;
  #received = 0;
  #wake: (() => void) | undefined;
  #roomMade: (() => void) | undefined;

  constructor(options: AppendRunOptions) {
    this.#options = options;
    this.#buffer = createRowBuffer(options.request.format);
    this.#durable = options.request.offset;
    this.#signal = AbortSignal.any([options.handle.signal, this.#failed.signal]);
  }

  /** How many rows are in the dataset for good. */
  get durable(): number {
    return this.#durable;
  }

  async run(parts: AsyncIterable<AppendPart>): Promise<AppendStatus> {
    const { handle, request, leave } = this.#options;
    await this.#begin();
    handle.begin();
    handle.report({ phase: "receiving" });
    const flushing = this.#flushAsTheyCome();
    try {
      await this.#receive(parts);
    } catch (error) {
      // What has come before the driver stops is kept, since nobody has to send it again then.
      this.#finish();
      if (!leave.aborted || handle.signal.aborted) this.#failed.abort(error);
      await flushing;
      throw error;
    }
    this.#finish();
    await flushing;
    this.#failed.signal.throwIfAborted();
    return { id: request.id, dataset: request.dataset, rows: this.#durable, version: this.#version };
  }

  /** Refuses at once what the first flush would refuse. */
  async #begin(): Promise<void> {
    const { parts, request, handle } = this.#options;
    await using base = await pinIfThere(parts.datasets, request.dataset, { signal: handle.signal });
    requireStep(request, base, this.#durable);
    this.#version = base?.manifest.number ?? 0;
  }

  async #receive(parts: AsyncIterable<AppendPart>): Promise<void> {
    const { leave } = this.#options;
    const signal = AbortSignal.any([this.#signal, leave]);
    const iterator = parts[Symbol.asyncIterator]();
    const aborted = rejection(signal);
    try {
      for (;;) {
        const next = iterator.next();
        // Where the abort comes first, nobody waits for it any more.
        next.catch(() => undefined);
        const { done, value } = await Promise.race([next, aborted]);
        if (done) throw new DriverError("CANCELLED", "the client left the stream before its end");
        if (value.type === "end") return;
        await Promise.race([this.#take(value.bytes), aborted]);
      }
    } finally {
      // It may be waiting for something that never comes.
      void Promise.resolve(iterator.return?.()).catch(() => undefined);
    }
  }

  async #take(bytes: Uint8Array): Promise<void> {
    const { handle } = this.#options;
    const isFirst = this.#buffer.bytes === 0;
    this.#buffer.add(bytes);
    this.#received += bytes.length;
    handle.report({ bytes: this.#received });
    if (isFirst || this.#isFull) this.#wake?.();
    while (this.#isFull) {
      await new Promise<void>((resolve) => {
        this.#roomMade = resolve;
      });
    }
  }

  /** No rows come any more. */
  #finish(): void {
    this.#finished = true;
    this.#wake?.();
  }

  /** One flush after the other, each of what has come meanwhile. */
  async #flushAsTheyCome(): Promise<void> {
    try {
      for (;;) {
        this.#failed.signal.throwIfAborted();
        if (this.#buffer.bytes === 0 && this.#finished) return;
        if (this.#buffer.bytes === 0) await this.#news();
        else {
          // The rows that follow get a moment to come along.
          if (!this.#finished && !this.#isFull) await Promise.race([this.#news(), setTimeout(FLUSH_AFTER_MS)]);
          await this.#flush();
        }
      }
    } catch (error) {
      // Whoever receives goes out by this.
      this.#failed.abort(error);
    }
  }

  get #isFull(): boolean {
    return this.#buffer.bytes >= MAX_BUFFERED_BYTES;
  }

  /** The first rows after a flush, a full buffer, or the end. */
  #news(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  async #flush(): Promise<void> {
    const { parts, merging, request, handle } = this.#options;
    const signal = this.#signal;
    await merging.catchUp(request.dataset, { signal });
    const since = performance.now();
    const batch = this.#buffer.take();
    this.#roomMade?.();
    const { rows, info } = await flush(parts, request, batch, this.#durable, { signal, operationId: handle.id });
    this.#durable += rows;
    this.#version = info.current.number;
    handle.report({ rows: this.#durable - request.offset });
    parts.onEvent({ type: "flushed", dataset: request.dataset, rows, durationMs: performance.now() - since });
    merging.look(request.dataset);
  }
}

/** Rejects with the signal's reason once it is aborted. */
function rejection(signal: AbortSignal): Promise<never> {
  const rejected = Promise.withResolvers<never>();
  rejected.promise.catch(() => undefined);
  const reject = () => rejected.reject(signal.reason);
  if (signal.aborted) reject();
  else signal.addEventListener("abort", reject, { once: true });
  return rejected.promise;
}
