export type DriverState = "starting" | "serving" | "stopping";

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

  becomeServing(): void {
    if (this.#state === "starting") this.#become("serving");
  }

  becomeStopping(): void {
    if (this.#state !== "stopping") this.#become("stopping");
  }

  /** Calls `watcher` at every change until the answer is called. */
  onChange(watcher: (state: DriverState) => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  #become(state: DriverState): void {
    this.#state = state;
    for (const watcher of [...this.#watchers]) watcher(state);
  }
}
