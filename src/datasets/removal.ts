import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import type { SegmentInfo } from "../engine/file-scan.ts";
import { DriverError } from "../errors/driver-error.ts";
import type { Dataset } from "./dataset.ts";
import type { DatasetEventListener } from "./events.ts";
import { asStorageError } from "./files.ts";
import type { Holds } from "./holds.ts";
import { segmentIdentity } from "./kept-segments.ts";
import { deletedMark } from "./layout.ts";
import type { Residency } from "./residency.ts";
import { type RetainedVersion, type RetentionPolicy, versionsToRemove } from "./retention.ts";
import { type TakeAwayParts, takeAway } from "./take-away.ts";
import type { Version } from "./version.ts";

export interface RemovalOptions extends TakeAwayParts {
  readonly residency: Residency;
  readonly holds: Holds;
  readonly onEvent: DatasetEventListener;
}

/**
 * Takes hidden versions away, from memory and disk, but never one that is read, here or in another process: that goes when its
 * last reader lets go.
 */
export class Removal {
  readonly #options: RemovalOptions;
  /** What other processes read, to be tried again. */
  readonly #waiting = new Map<Dataset, Set<Version>>();

  constructor(options: RemovalOptions) {
    this.#options = options;
  }

  /** A reader lets go of a version. Never fails: what can't be removed now is removed later. */
  async release(dataset: Dataset, version: Version): Promise<void> {
    version.pins--;
    if (version.pins > 0) return;
    if (version.retired) await this.remove(dataset, [version]);
    else if (version !== dataset.current) this.#options.holds.letGoSoon(version);
  }

  /** Hides and removes the versions that the policy doesn't keep. */
  async retain(dataset: Dataset, policy: RetentionPolicy): Promise<void> {
    const versions = dataset.newestFirst();
    const counted = new Set<string>();
    const known: RetainedVersion[] = [];
    for (const version of versions) {
      const stored = await version.read().catch(() => undefined);
      const { createTime = new Date().toISOString(), segments = [], lineage } = stored?.manifest ?? {};
      const bytes = ownBytes(version.number, segments, counted);
      known.push({ number: version.number, createTime, bytes, extends: lineage?.extends });
    }
    const leaving = new Set(versionsToRemove(known, policy, Date.now()));
    const hidden = versions.filter(({ number, retired }) => leaving.has(number) && !retired);
    for (const version of hidden) dataset.retire(version);
    await this.remove(dataset, hidden);
  }

  /** Removes hidden versions that nobody reads; if the dataset is deleted, all of it. Never fails. */
  async remove(dataset: Dataset, versions: readonly Version[]): Promise<void> {
    for (const version of versions) {
      if (version.pins > 0) continue;
      try {
        if (!dataset.deleted) await this.#removeVersion(dataset, version);
        else if (!dataset.isPinned) return await this.#removeDataset(dataset);
      } catch (error) {
        this.failed(error);
      }
    }
  }

  /** Forgets versions that another process has removed. */
  async forget(dataset: Dataset, versions: readonly Version[]): Promise<void> {
    for (const version of versions) {
      await this.#options.residency.remove(version.table);
      await this.#options.holds.letGo(version);
      dataset.forget(version);
    }
  }

  /** Tries again to remove what other processes have read. */
  async retry(): Promise<void> {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const [dataset, versions] of waiting) await this.remove(dataset, [...versions]);
  }

  /** Tells of work behind the scenes that has failed. */
  failed(error: unknown): void {
    this.#options.onEvent({ type: "cleanupFailed", error: DriverError.from(asStorageError(error)) });
  }

  async #removeVersion(dataset: Dataset, version: Version): Promise<void> {
    const { catalog, residency, onEvent } = this.#options;
    const { uid, name } = dataset.record;
    await residency.remove(version.table);
    await this.#letGo(version);
    const trash = await takeAway(this.#options, { uid, version: version.number });
    if (trash === undefined) return this.#wait(dataset, version);
    dataset.forget(version);
    await rm(trash, { recursive: true, force: true });
    const step = version.manifest?.lineage.extends !== undefined && ({ step: true } as const);
    onEvent({ type: "removed", dataset: name, version: version.number, reason: "retention", ...step });
    await catalog.datasets.touch(uid);
  }

  async #removeDataset(dataset: Dataset): Promise<void> {
    const { residency } = this.#options;
    for (const version of dataset.retired) {
      await residency.remove(version.table);
      await this.#letGo(version);
    }
    if (await this.#isLost(dataset)) return this.forget(dataset, dataset.retired);
    const trash = await takeAway(this.#options, { uid: dataset.record.uid });
    if (trash === undefined) for (const version of dataset.retired) this.#wait(dataset, version);
    else await this.discard(dataset, trash);
  }

  /** Whether nobody has deleted it, and it only misses its versions: another process may just be publishing one. */
  async #isLost({ record: { uid } }: Dataset): Promise<boolean> {
    const { catalog, dataDirectory } = this.#options;
    return !existsSync(deletedMark(dataDirectory, uid)) && (await catalog.datasets.find(uid)) !== undefined;
  }

  /** Removes a deleted dataset that lies in the trash. */
  async discard(dataset: Dataset, trash: string): Promise<void> {
    const { residency, onEvent } = this.#options;
    for (const { table } of dataset.retired) await residency.remove(table);
    await rm(trash, { recursive: true, force: true });
    for (const version of dataset.retired) {
      dataset.forget(version);
      onEvent({ type: "removed", dataset: dataset.record.name, version: version.number, reason: "deleted" });
    }
  }

  /** Two processes that wait for each other to let go of what neither reads would wait for ever, so this comes first. */
  async #letGo(version: Version): Promise<void> {
    await this.#options.holds.letGo(version).catch((error) => this.failed(error));
  }

  #wait(dataset: Dataset, version: Version): void {
    const versions = this.#waiting.get(dataset) ?? new Set();
    this.#waiting.set(dataset, versions.add(version));
  }
}

/** Bytes of the segments that no version before has counted. */
function ownBytes(version: number, segments: readonly SegmentInfo[], counted: Set<string>): number {
  let sum = 0;
  for (const { file, bytes } of segments) {
    const identity = segmentIdentity(version, file);
    if (!counted.has(identity)) sum += bytes;
    counted.add(identity);
  }
  return sum;
}
