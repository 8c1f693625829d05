import { setTimeout as sleep } from "node:timers/promises";

const longestMs = 1_000;

/** Work that is still under way when nobody waits for it any more. */
export class Farewells {
  readonly #under = new Set<Promise<unknown>>();

  add(work: Promise<unknown>): void {
    const settled = work
      .catch(() => {})
      .finally(() => {
        this.#under.delete(settled);
      });
    this.#under.add(settled);
  }

  /** Waits until all is done, a moment at most. */
  async done(): Promise<void> {
    if (this.#under.size === 0) return;
    const enough = new AbortController();
    const limit = sleep(longestMs, undefined, { signal: enough.signal }).catch(() => {});
    await Promise.race([Promise.all(this.#under), limit]);
    enough.abort();
  }
}
