import type { DatasetCatalog, StorageLevel } from "../catalog/datasets.ts";
import { DriverError } from "../errors/driver-error.ts";
import type { Dataset } from "./dataset.ts";
import type { DatasetIndex } from "./dataset-index.ts";
import type { DatasetEventListener } from "./events.ts";
import { Exclusive } from "./exclusive.ts";
import type { Readers } from "./readers.ts";
import type { Residency } from "./residency.ts";
import type { Version } from "./version.ts";

export interface LevelsOptions {
  readonly catalog: DatasetCatalog;
  readonly index: DatasetIndex;
  readonly residency: Residency;
  readonly readers: Readers;
  readonly onEvent: DatasetEventListener;
  inBackground(task: () => Promise<void>): void;
}

interface Options {
  readonly signal: AbortSignal;
}

/**
 * Keeps the memory of this process in step with the storage levels that the catalog says. What can't be pinned now is served as
 * one whose level is `memory`, that is said, and it is tried again when there is room.
 */
export class Levels implements Disposable {
  readonly #options: LevelsOptions;
  /** One change of a dataset's level after the other. */
  readonly #exclusive = new Exclusive();
  readonly #closing = new AbortController();
  /** What this process does by itself for a dataset, by uid; a caller's wish comes first. */
  readonly #following = new Map<string, AbortController>();
  /** Why the current versions of pinned datasets are not pinned, by uid. */
  readonly #problems = new Map<string, { readonly version: Version; readonly error: DriverError }>();

  constructor(options: LevelsOptions) {
    this.#options = options;
  }

  /** Why a dataset's current version is not kept as its level says. */
  problem({ record, current }: Dataset): DriverError | undefined {
    const problem = this.#problems.get(record.uid);
    return record.storageLevel === "pinned" && problem?.version === current ? problem?.error : undefined;
  }

  /** As `DatasetStore.setStorageLevel`. */
  async set(name: string, level: StorageLevel, { signal }: Options): Promise<void> {
    const { uid } = this.#options.index.find(name).record;
    this.#following.get(uid)?.abort(new DriverError("CANCELLED", "the level is set anew"));
    const turn = this.#exclusive.run(uid, () => this.#set(name, level, { signal }));
    await sooner(turn, signal);
  }

  async #set(name: string, level: StorageLevel, { signal }: Options): Promise<void> {
    signal.throwIfAborted();
    const { index, catalog, residency } = this.#options;
    const dataset = index.find(name);
    const { uid, storageLevel: before } = dataset.record;
    try {
      if (level === "pinned") await this.#pinCurrent(dataset, { signal });
      await catalog.setStorageLevel(uid, level);
      dataset.record = { ...dataset.record, storageLevel: level };
      dataset.revision++;
    } catch (error) {
      if (before !== "pinned") this.#release(dataset, before);
      else if (dataset.current) this.#problems.set(uid, { version: dataset.current, error: DriverError.from(error) });
      throw error;
    }
    if (level === "pinned") return;
    this.#release(dataset, level);
    if (level === "memory" && dataset.current) residency.bringIn(dataset.current.table);
    if (level === "disk")
      await Promise.all(dataset.newestFirst().map(({ table }) => residency.gone(table, { signal })));
  }

  /** The level has changed in another process, or is seen for the first time. */
  follow(dataset: Dataset): void {
    const { storageLevel } = dataset.record;
    if (storageLevel === "pinned") this.#inTurn(dataset, (signal) => this.#holdCurrent(dataset, signal));
    else this.#release(dataset, storageLevel);
  }

  /** A pinned dataset has a new current version, which takes the place of the one before. */
  takeOver(dataset: Dataset, before: Version | undefined): void {
    this.#inTurn(dataset, async (signal) => {
      const { residency } = this.#options;
      const both = await this.#tryPin(dataset, signal);
      if (before !== undefined && before !== dataset.current) {
        residency.release(before.table, "memory");
        await residency.evict(before.table, "superseded");
      }
      // Both at once were too much: queries read segments until the new one is in.
      if (both === undefined) this.#problems.delete(dataset.record.uid);
      else await this.#holdCurrent(dataset, signal);
    });
  }

  /** To be asked now and then: pins what had no room, where there is some now. */
  retry(): void {
    const { index, residency } = this.#options;
    for (const { uid } of [...this.#problems.values()].map(({ version }) => version)) {
      const dataset = index.withUid(uid);
      if (dataset?.current === undefined || dataset.record.storageLevel !== "pinned") this.#problems.delete(uid);
      else if (residency.mayPin(dataset.current.table))
        this.#inTurn(dataset, (signal) => this.#holdCurrent(dataset, signal));
    }
  }

  [Symbol.dispose](): void {
    this.#closing.abort(new DriverError("DRIVER_STOPPED", "the driver stops"));
  }

  /** Pins the current version, whichever that is once it is in. */
  async #pinCurrent(dataset: Dataset, { signal }: Options): Promise<void> {
    const { readers, residency } = this.#options;
    for (let version = dataset.current; version !== undefined; ) {
      readers.makeKnown(dataset, version, await readers.check(dataset, version));
      await residency.pin(version.table, { signal: AbortSignal.any([signal, this.#closing.signal]) });
      if (version === dataset.current) break;
      residency.release(version.table, "memory");
      version = dataset.current;
    }
    this.#problems.delete(dataset.record.uid);
  }

  /** Pins the current version, or says why that can't be done. */
  async #holdCurrent(dataset: Dataset, signal: AbortSignal): Promise<void> {
    const { current, record } = dataset;
    const error = await this.#tryPin(dataset, signal);
    if (error === undefined || current === undefined || dataset.deleted) return;
    const told = this.#problems.get(record.uid);
    this.#problems.set(record.uid, { version: current, error });
    if (told?.version === current && told.error.message === error.message) return;
    this.#options.onEvent({ type: "pinRefused", dataset: record.name, version: current.number, error });
  }

  async #tryPin(dataset: Dataset, signal: AbortSignal): Promise<DriverError | undefined> {
    try {
      if (dataset.record.storageLevel === "pinned" && !signal.aborted) await this.#pinCurrent(dataset, { signal });
      return undefined;
    } catch (error) {
      return signal.aborted || this.#closing.signal.aborted ? undefined : DriverError.from(error);
    }
  }

  #release(dataset: Dataset, level: Exclude<StorageLevel, "pinned">): void {
    for (const { table } of dataset.newestFirst()) this.#options.residency.release(table, level);
  }

  #inTurn({ record: { uid } }: Dataset, task: (signal: AbortSignal) => Promise<void>): void {
    this.#options.inBackground(() =>
      this.#exclusive.run(uid, async () => {
        const controller = new AbortController();
        this.#following.set(uid, controller);
        try {
          await task(controller.signal);
        } finally {
          this.#following.delete(uid);
        }
      }),
    );
  }
}

/** The result of work, or the signal's reason if that comes first; the work ends by itself then. */
function sooner<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
