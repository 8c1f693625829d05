import type { DriverControl } from "./control.ts";

/** A timer that waits longer fires at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The moment by which a driver that drains cancels what is left, whoever brings it forward meanwhile. */
export class EndDeadline implements Disposable {
  readonly #control: DriverControl;
  readonly #passed = new AbortController();
  readonly #off: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(control: DriverControl) {
    this.#control = control;
    this.#off = control.onChange(() => this.#arm());
    this.#arm();
  }

  /** Aborted when it has passed. */
  get signal(): AbortSignal {
    return this.#passed.signal;
  }

  [Symbol.dispose](): void {
    this.#off();
    clearTimeout(this.#timer);
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const leftMs = (this.#control.draining?.deadlineMs ?? Number.POSITIVE_INFINITY) - performance.now();
    if (leftMs <= 0) this.#passed.abort();
    else this.#timer = setTimeout(() => this.#arm(), Math.min(leftMs, LONGEST_TIMER_MS));
  }
}
