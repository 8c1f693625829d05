import { DriverError } from "../errors/driver-error.ts";
import type { DriverEvent, DriverEvents } from "./driver-events.ts";

export interface EventQueueOptions {
  /** What a listener may leave unread. */
  readonly maxEvents: number;
  /** Called once when it left more, with EVENTS_LOST; the queue takes and gives nothing from then on. */
  readonly onOverflow: (error: DriverError) => void;
}

/** What one listener has not read yet. Disposing it stops listening. */
export class EventQueue implements Disposable {
  readonly #options: EventQueueOptions;
  readonly #stop: () => void;
  #waiting: DriverEvent[] = [];
  #overflow: DriverError | undefined;
  #wake: (() => void) | undefined;

  constructor(events: Pick<DriverEvents, "listen">, options: EventQueueOptions) {
    this.#options = options;
    this.#stop = events.listen((event) => this.#add(event));
  }

  /** The next event, or undefined if there is none for so long. Throws the signal's reason, or EVENTS_LOST after an overflow. */
  async next(options: { readonly signal: AbortSignal; readonly timeoutMs: number }): Promise<DriverEvent | undefined> {
    if (this.#waiting.length === 0 && this.#overflow === undefined) await this.#wait(options);
    options.signal.throwIfAborted();
    if (this.#overflow) throw this.#overflow;
    return this.#waiting.shift();
  }

  [Symbol.dispose](): void {
    this.#stop();
    this.#waiting = [];
  }

  #add(event: DriverEvent): void {
    this.#waiting.push(event);
    if (this.#waiting.length > this.#options.maxEvents) this.#waiting = withoutOutdated(this.#waiting);
    if (this.#waiting.length > this.#options.maxEvents) this.#fail();
    this.#wake?.();
  }

  #fail(): void {
    const { maxEvents, onOverflow } = this.#options;
    this.#stop();
    this.#waiting = [];
    this.#overflow = new DriverError("EVENTS_LOST", `the client left more than ${maxEvents} events unread`, {
      metadata: { maxEvents: String(maxEvents) },
    });
    onOverflow(this.#overflow);
  }

  #wait({ signal, timeoutMs }: { readonly signal: AbortSignal; readonly timeoutMs: number }): Promise<void> {
    return new Promise((resolve) => {
      const settle = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", settle);
        this.#wake = undefined;
        resolve();
      };
      // The connection keeps the process alive, not the heartbeat.
      const timer = setTimeout(settle, timeoutMs).unref();
      signal.addEventListener("abort", settle);
      this.#wake = settle;
      if (signal.aborted) settle();
    });
  }
}

/** Leaves out what a later event says anew. */
function withoutOutdated(events: readonly DriverEvent[]): DriverEvent[] {
  const said = new Set<string>();
  return events
    .toReversed()
    .filter((event) => {
      const subject = subjectOf(event);
      if (subject === undefined) return true;
      const first = !said.has(subject);
      said.add(subject);
      return first;
    })
    .reverse();
}

/** Events of one subject replace each other. */
function subjectOf(event: DriverEvent): string | undefined {
  switch (event.type) {
    case "datasetPublished":
    case "datasetPinRefused":
      return `${event.type} ${event.dataset}`;
    case "draining":
    case "memoryPressure":
      return event.type;
    case "datasetEvicted":
      return `${event.type} ${event.dataset} ${event.version}`;
    case "datasetDropped":
      return undefined;
  }
}
