export interface MemoryPressureOptions {
  readonly budgetBytes: number;
  /** The process's resident set. */
  processBytes(): number;
  readonly onChange: (pressure: { readonly high: boolean; readonly processBytes: number }) => void;
  /** Default: 1 s. */
  readonly intervalMs?: number;
}

/** High from this share of the budget on, until it is below the lower one: in between nothing changes, so it can't flutter. */
const HIGH = 0.9;
const LOW = 0.8;

/** Looks again and again whether the process's memory is nearly used up. */
export class MemoryPressure implements Disposable {
  readonly #options: MemoryPressureOptions;
  readonly #timer: NodeJS.Timeout;
  #high = false;

  constructor(options: MemoryPressureOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#look(), options.intervalMs ?? 1_000).unref();
  }

  get high(): boolean {
    return this.#high;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const processBytes = this.#options.processBytes();
    const share = processBytes / this.#options.budgetBytes;
    const high = this.#high ? share >= LOW : share >= HIGH;
    if (high === this.#high) return;
    this.#high = high;
    this.#options.onChange({ high, processBytes });
  }
}
