import { DriverError } from "../errors/driver-error.ts";
import type { Dataset } from "./dataset.ts";
import type { DatasetEventListener } from "./events.ts";
import { asStorageError, discardFolder, syncFolder, writeNewFile } from "./files.ts";
import { datasetFolder, deletedMark } from "./layout.ts";
import type { Residency } from "./residency.ts";
import { type RetentionPolicy, versionsToRemove } from "./retention.ts";
import type { Version } from "./version.ts";

export interface RemovalOptions {
  readonly dataDirectory: string;
  readonly residency: Residency;
  readonly onEvent: DatasetEventListener;
}

/** Takes versions away, from memory and disk, but never one that is pinned: that goes when its last reader lets go. */
export class Removal {
  readonly #options: RemovalOptions;

  constructor(options: RemovalOptions) {
    this.#options = options;
  }

  /** A reader lets go of a version. Never fails: what can't be removed now is removed at the next start. */
  async release(dataset: Dataset, version: Version): Promise<void> {
    version.pins--;
    if (version.retired && version.pins === 0) await this.#removeUnpinned(dataset, version);
  }

  /** Lets go of the versions that the policy doesn't keep. */
  async retain(dataset: Dataset, policy: RetentionPolicy): Promise<void> {
    const versions = dataset.newestFirst();
    const known = await Promise.all(
      versions.map(async (version) => {
        const stored = await version.read().catch(() => undefined);
        const { createTime = new Date().toISOString(), bytes = 0 } = stored?.manifest ?? {};
        return { number: version.number, createTime, bytes };
      }),
    );
    const leaving = new Set(versionsToRemove(known, policy, Date.now()));
    for (const version of versions) {
      if (!leaving.has(version.number)) continue;
      dataset.retire(version);
      if (version.pins === 0) await this.#removeUnpinned(dataset, version);
    }
  }

  /** Takes a dataset away; `forget` makes it unknown, in the same turn of the event loop as the look at its pins. */
  async delete(dataset: Dataset, forget: () => void): Promise<void> {
    const { dataDirectory } = this.#options;
    const { uid } = dataset.record;
    // The mark finishes the work after a crash. Where nobody reads, one rename does all, also on a disk that is full.
    if (dataset.isPinned) {
      await writeNewFile(deletedMark(dataDirectory, uid), "");
      await syncFolder(datasetFolder(dataDirectory, uid));
    }
    forget();
    dataset.retireAll();
    if (!dataset.isPinned) await this.#removeDataset(dataset);
  }

  /** Tells of work behind the scenes that has failed. */
  failed(error: unknown): void {
    this.#options.onEvent({ type: "cleanupFailed", error: DriverError.from(asStorageError(error)) });
  }

  async #removeUnpinned(dataset: Dataset, version: Version): Promise<void> {
    try {
      if (!dataset.deleted) await this.#removeVersion(dataset, version);
      else if (!dataset.isPinned) await this.#removeDataset(dataset);
    } catch (error) {
      this.failed(error);
    }
  }

  async #removeVersion(dataset: Dataset, version: Version): Promise<void> {
    const { dataDirectory, residency, onEvent } = this.#options;
    await residency.remove(version.table);
    await discardFolder(dataDirectory, version.folder);
    dataset.forget(version);
    onEvent({ type: "removed", dataset: dataset.record.name, version: version.number, reason: "retention" });
  }

  async #removeDataset(dataset: Dataset): Promise<void> {
    const { dataDirectory, residency, onEvent } = this.#options;
    const { name, uid } = dataset.record;
    for (const { table } of dataset.retired) await residency.remove(table);
    await discardFolder(dataDirectory, datasetFolder(dataDirectory, uid));
    for (const version of dataset.retired) {
      dataset.forget(version);
      onEvent({ type: "removed", dataset: name, version: version.number, reason: "deleted" });
    }
  }
}
