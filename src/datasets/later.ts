/** Does something for a key once nobody has asked for it for a while. */
export class Later implements Disposable {
  readonly #delayMs: number;
  readonly #act: (key: string) => void;
  readonly #timers = new Map<string, NodeJS.Timeout>();
  #closed = false;

  constructor(delayMs: number, act: (key: string) => void) {
    this.#delayMs = delayMs;
    this.#act = act;
  }

  ask(key: string): void {
    if (this.#closed) return;
    const timer = this.#timers.get(key);
    if (timer !== undefined) {
      timer.refresh();
      return;
    }
    const started = setTimeout(() => {
      this.#timers.delete(key);
      this.#act(key);
    }, this.#delayMs);
    this.#timers.set(key, started.unref());
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }
}
