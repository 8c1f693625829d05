import { abortError } from "../errors.ts";

/** Work that many wait for: it runs once, and is aborted when the last of them has left. */
export class SharedWork<T> {
  readonly #controller = new AbortController();
  readonly #result: Promise<T>;
  #waiting = 0;

  constructor(work: (signal: AbortSignal) => Promise<T>) {
    this.#result = work(this.#controller.signal);
    // Those who wait are told; where all have left nobody needs to know.
    this.#result.catch(() => {});
  }

  /** Whether everybody has left: it ends without a result. */
  get abandoned(): boolean {
    return this.#controller.signal.aborted;
  }

  /** Waits for the result, at most until the signal is aborted. */
  async join(signal: AbortSignal): Promise<T> {
    if (signal.aborted) throw abortError(signal.reason);
    this.#waiting++;
    const left = Promise.withResolvers<never>();
    const leave = () => left.reject(abortError(signal.reason));
    signal.addEventListener("abort", leave, { once: true });
    try {
      return await Promise.race([this.#result, left.promise]);
    } finally {
      signal.removeEventListener("abort", leave);
      this.#waiting--;
      if (this.#waiting === 0) this.#controller.abort();
    }
  }

  abort(reason: unknown): void {
    this.#controller.abort(reason);
  }
}
