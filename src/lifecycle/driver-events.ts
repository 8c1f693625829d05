/** What attached clients are told. */
export type DriverEvent =
  | { readonly type: "datasetPublished"; readonly dataset: string; readonly version: number }
  | { readonly type: "datasetDropped"; readonly dataset: string }
  | {
      readonly type: "datasetEvicted";
      readonly dataset: string;
      readonly version: number;
      readonly bytes: number;
      readonly reason: string;
    }
  | {
      readonly type: "datasetPinRefused";
      readonly dataset: string;
      readonly version: number;
      readonly message: string;
    }
  | { readonly type: "draining"; readonly reason: string; readonly deadline: Date }
  | {
      readonly type: "memoryPressure";
      readonly high: boolean;
      readonly processBytes: number;
      readonly budgetBytes: number;
    };

/** Hands events to everybody who listens at that moment. */
export class DriverEvents {
  readonly #listeners = new Set<(event: DriverEvent) => void>();

  emit(event: DriverEvent): void {
    for (const listener of [...this.#listeners]) listener(event);
  }

  /** Calls `listener` for every event until the answer is called. */
  listen(listener: (event: DriverEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
