export type DriverState = "starting" | "serving" | "draining" | "stopping";

const ORDER: readonly DriverState[] = ["starting", "serving", "draining", "stopping"];

/** Whether the driver takes work. States only go forward. */
export class Readiness {
  #state: DriverState = "starting";
  readonly #watchers = new Set<(state: DriverState) => void>();

  get state(): DriverState {
    return this.#state;
  }

  get serving(): boolean {
    return this.#state === "serving";
  }

  /** Moves forward; a state that was passed is not come back to. */
  become(state: DriverState): void {
    if (ORDER.indexOf(state) <= ORDER.indexOf(this.#state)) return;
    this.#state = state;
    for (const watcher of [...this.#watchers]) watcher(state);
  }

  /** Calls `watcher` at every change until the answer is called. */
  onChange(watcher: (state: DriverState) => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }
}
