import type { Catalog } from "../catalog/catalog.ts";
import type { Instance } from "../catalog/instance.ts";
import type { DatasetEventListener } from "./events.ts";
import type { Holds } from "./holds.ts";
import type { Neighbours } from "./neighbours.ts";
import type { Removal } from "./removal.ts";
import { removeDeadStaging } from "./staging.ts";

export interface UpkeepOptions {
  readonly dataDirectory: string;
  readonly instance: Instance;
  readonly catalog: Pick<Catalog, "datasets" | "changes" | "drivers">;
  readonly neighbours: Neighbours;
  readonly holds: Holds;
  readonly removal: Removal;
  readonly onEvent: DatasetEventListener;
  /** Lets go of the versions of a dataset that the retention policy doesn't keep. */
  retain(uid: string): Promise<void>;
  retainAll(): Promise<void>;
  /** Pins what had no room before. */
  retryLevels(): void;
  inBackground(task: () => Promise<void>): void;
}

/** How soon events tell of what other processes do. Calls look for themselves. */
const LOOK_EVERY_MS = 1_000;
const SWEEP_EVERY_LOOKS = 10;
const RETAIN_EVERY_LOOKS = 3_600;

/** What several processes that share a data directory owe each other now and then. */
export class Upkeep implements Disposable {
  readonly #options: UpkeepOptions;
  readonly #timer: NodeJS.Timeout;
  /** Datasets with a new version of which the catalog could not be told. */
  readonly #untold = new Set<string>();
  #looks = 0;
  #busy = false;

  constructor(options: UpkeepOptions) {
    this.#options = options;
    this.#timer = setInterval(() => options.inBackground(() => this.#look()), LOOK_EVERY_MS).unref();
  }

  /** Tells the other processes of a new version once the catalog can be written again. */
  tellLater(uid: string): void {
    this.#untold.add(uid);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    try {
      const { neighbours, holds, removal, retain, retryLevels } = this.#options;
      await neighbours.refresh();
      // The process whose retention has waited for this reader may be gone.
      for (const uid of await holds.letGoIdle()) await retain(uid);
      await removal.retry();
      retryLevels();
      if (++this.#looks % SWEEP_EVERY_LOOKS === 0) await this.#sweep();
    } finally {
      this.#busy = false;
    }
  }

  /** Cleans up after processes that have died, and finishes what could not be done when it should have been. */
  async #sweep(): Promise<void> {
    const { catalog, dataDirectory, instance, onEvent, retainAll } = this.#options;
    await catalog.drivers.forgetDead();
    for (const owner of await removeDeadStaging(dataDirectory, instance)) onEvent({ type: "stagingRemoved", owner });
    for (const uid of this.#untold) {
      await catalog.datasets.touch(uid);
      this.#untold.delete(uid);
    }
    // The first time soon after the start: what processes that ended have left to be done.
    if (this.#looks % RETAIN_EVERY_LOOKS !== SWEEP_EVERY_LOOKS) return;
    await catalog.changes.prune();
    await retainAll();
  }
}
