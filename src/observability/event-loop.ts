import { monitorEventLoopDelay } from "node:perf_hooks";

/** Each sample wakes the process: two histograms at 10 ms took half a percent of a core. */
const RESOLUTION_MS = 25;
const WINDOW_MS = 60_000;
const NANOSECONDS_PER_SECOND = 1e9;

/** Watches the event loop's delay over one to two minutes: of two histograms that are reset in turn, the older is read. */
export class EventLoopMonitor implements Disposable {
  #older = start();
  #younger = start();
  readonly #timer = setInterval(() => this.#turn(), WINDOW_MS).unref();

  /** The delay in seconds at a quantile, for example 0.99. The sampling interval itself is not counted as delay. */
  quantile(quantile: number): number {
    const nanoseconds = this.#older.count === 0 ? 0 : this.#older.percentile(quantile * 100);
    return Math.max(0, nanoseconds / NANOSECONDS_PER_SECOND - RESOLUTION_MS / 1000);
  }

  /** Forgets what was seen so far. */
  restart(): void {
    this.#older.reset();
    this.#younger.reset();
  }

  #turn(): void {
    [this.#older, this.#younger] = [this.#younger, this.#older];
    this.#younger.reset();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#older.disable();
    this.#younger.disable();
  }
}

function start(): ReturnType<typeof monitorEventLoopDelay> {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  return histogram;
}
