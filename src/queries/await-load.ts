import type { Access } from "../access/model.ts";
import { DriverError } from "../errors/driver-error.ts";
import type { OperationProgress } from "../operations/model.ts";
import type { Whose } from "../operations/owner.ts";
import { noProgress } from "../operations/progress.ts";
import { seenLoadError } from "./version-view.ts";

/** A load of this or another driver process, for those who wait for it without a part in it. */
export interface AwaitedLoad {
  readonly operationId: string;
  /**
   * Settles when it has succeeded, and also when nobody wants it any more. Rejects with its error when it fails, or with the
   * signal's reason, which ends the waiting only.
   */
  wait(options: {
    readonly signal: AbortSignal;
    readonly onProgress: (progress: OperationProgress) => void;
  }): Promise<void>;
}

/** Who waits. */
export interface Asker {
  readonly requestedBy: string;
  readonly whose?: Whose | undefined;
  readonly caller: string;
}

/** Where loads are to be found; composed from outside. */
export interface LoadFinder {
  /** The load of a dataset that runs in any driver process, whatever for. */
  running(dataset: string): Promise<AwaitedLoad | undefined>;
  /**
   * The load after which what has failed may succeed: the first one of a dataset that does not exist yet, or the one that makes
   * a damaged version again, which is begun where none runs. Undefined where there is none.
   */
  mending(error: DriverError, asker: Asker): Promise<AwaitedLoad | undefined>;
}

export interface AwaitOptions extends Omit<Asker, "whose"> {
  /** What he may see: of loads of other datasets he is told nothing. */
  readonly access: Access;
  /** Whether to wait for loads at all. */
  readonly wait: boolean;
  readonly signal: AbortSignal;
  /** Told how far the load is that is waited for; its phase names the load. */
  readonly onProgress?: (progress: OperationProgress) => void;
}

/** After so many loads a dataset that still can't be read fails its query. */
const MAX_LOADS = 3;

/** Lets work wait for loads. */
export class LoadWaits {
  readonly #loads: LoadFinder | undefined;
  readonly #maxWaiting: number;
  #waiting = 0;

  /** `maxWaiting`: how many may wait at once; one more is refused with POOL_FULL. */
  constructor(loads: LoadFinder | undefined, { maxWaiting }: { readonly maxWaiting: number }) {
    this.#loads = loads;
    this.#maxWaiting = maxWaiting;
  }

  /**
   * Does work; where it fails because a dataset is still being loaded, or must be loaded again, waits for that load and does it
   * once more. It must hold nothing when it fails. Throws DATASET_LOADING instead where nobody wants to wait.
   */
  async run<T>(work: () => Promise<T>, options: AwaitOptions): Promise<T> {
    for (let loads = 0; ; loads++) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof DriverError) || loads === MAX_LOADS) throw error;
        const { dataset = "" } = error.metadata;
        const load = await this.#mending(error, dataset, options);
        if (load === undefined) throw error;
        await this.wait(load, dataset, options);
      }
    }
  }

  /** Waits for a load of a dataset. Throws POOL_FULL. */
  async wait(
    load: AwaitedLoad,
    dataset: string,
    { signal, access, onProgress = () => undefined }: AwaitOptions,
  ): Promise<void> {
    if (this.#waiting >= this.#maxWaiting) {
      const message = `${this.#waiting} queries wait for loads already`;
      throw new DriverError("POOL_FULL", message, { metadata: { queued: String(this.#waiting) } });
    }
    this.#waiting++;
    const isPart = access.restriction(dataset) !== undefined;
    try {
      const tell = (progress: OperationProgress) =>
        onProgress({ ...(isPart ? noProgress : progress), phase: phaseOf(load, progress) });
      await load.wait({ signal, onProgress: tell });
    } catch (error) {
      throw signal.aborted ? error : seenLoadError(error, dataset, access);
    } finally {
      this.#waiting--;
    }
  }

  async #mending(
    error: DriverError,
    dataset: string,
    { wait, access, requestedBy, caller }: AwaitOptions,
  ): Promise<AwaitedLoad | undefined> {
    if (!access.mayRead(dataset)) return undefined;
    if (wait)
      return this.#loads?.mending(error, { requestedBy, caller, whose: access }).catch((failure: unknown) => {
        throw seenLoadError(failure, dataset, access);
      });
    const load = error.reason === "DATASET_NOT_FOUND" ? await this.#loads?.running(dataset) : undefined;
    if (load === undefined) return undefined;
    throw new DriverError("DATASET_LOADING", `operation "${load.operationId}" loads "${dataset}" for the first time`, {
      metadata: { dataset, operation: load.operationId },
    });
  }
}

function phaseOf({ operationId }: AwaitedLoad, { phase }: OperationProgress): string {
  return phase === "" ? `waiting for load ${operationId}` : `waiting for load ${operationId}: ${phase}`;
}
