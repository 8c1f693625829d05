import { join } from "node:path";
import type { ReadableVersion } from "../engine/engine.ts";
import { DriverError } from "../errors/driver-error.ts";
import type { Dataset } from "./dataset.ts";
import type { DatasetIndex } from "./dataset-index.ts";
import type { DatasetEventListener } from "./events.ts";
import type { Holds } from "./holds.ts";
import type { PinnedVersion, VersionManifest } from "./model.ts";
import type { Neighbours } from "./neighbours.ts";
import type { Removal } from "./removal.ts";
import type { Residency } from "./residency.ts";
import type { Version } from "./version.ts";

export interface ReadersOptions {
  readonly index: DatasetIndex;
  readonly neighbours: Neighbours;
  readonly holds: Holds;
  readonly removal: Removal;
  readonly residency: Residency;
  readonly onEvent: DatasetEventListener;
}

/** How often a reader looks for another version because the one that it wanted has gone under its hands. */
const MAX_PINS = 100;

/** How long a version that an append has made is left on disk: copying each of a stream of them would never end. */
const APPEND_SETTLES_MS = 5_000;

function settleMs({ lineage, createTime }: VersionManifest): number {
  return lineage.extends === undefined ? 0 : Math.max(0, APPEND_SETTLES_MS - (Date.now() - Date.parse(createTime)));
}

/** Gives versions to readers: found, held against every process that would remove it, and known to be whole. */
export class Readers {
  readonly #options: ReadersOptions;

  constructor(options: ReadersOptions) {
    this.#options = options;
  }

  /** As `DatasetStore.pin`. */
  async pin(name: string, number: number, { signal }: { readonly signal: AbortSignal }): Promise<PinnedVersion> {
    const { index, neighbours, holds, removal } = this.#options;
    for (let pins = 1; ; pins++) {
      signal.throwIfAborted();
      if (neighbours.behind) await neighbours.refresh();
      const dataset = index.find(name);
      dataset.refuseLost(number);
      const version = dataset.version(number);
      // Before anything is waited for: from here on nobody in this process removes it.
      version.pins++;
      try {
        // And from here on no other process.
        if (version.held || (await holds.take(version))) {
          const manifest = await this.check(dataset, version);
          signal.throwIfAborted();
          return this.#pinned(dataset, version, manifest);
        }
      } catch (error) {
        await removal.release(dataset, version);
        throw error;
      }
      await removal.release(dataset, version);
      // Another process has removed it; its current version may be another one, or the dataset gone.
      await neighbours.lookAt(dataset.record.uid);
      if (pins === MAX_PINS) throw new DriverError("INTERNAL", `"${name}" changes faster than it can be read`);
    }
  }

  /** The manifest of a version whose files are all there; looked at once. Throws VERSION_DAMAGED, DATA_DIRECTORY_NEWER. */
  async check(dataset: Dataset, version: Version): Promise<VersionManifest> {
    if (version.isWhole && version.manifest !== undefined) return version.manifest;
    try {
      return await version.check();
    } catch (error) {
      this.damaged(dataset, version, error);
      throw dataset.explainDamage(version, error);
    }
  }

  /** Tells that a version can't be read. */
  damaged(dataset: Dataset, version: Version, error: unknown): undefined {
    const { name } = dataset.record;
    this.#options.onEvent({ type: "damaged", dataset: name, version: version.number, error: DriverError.from(error) });
  }

  /** Tells the memory level of a version, unless the version is on its way out. */
  makeKnown({ record }: Dataset, version: Version, manifest: VersionManifest): ReadableVersion {
    const segmentPaths = manifest.segments.map(({ file }) => join(version.folder, file));
    const readable = { dataset: record.name, version: version.number, columns: manifest.columns, segmentPaths };
    const level = record.storageLevel === "disk" ? "disk" : "memory";
    const facts = { diskBytes: manifest.bytes, level, settleMs: settleMs(manifest) } as const;
    if (!version.retired) this.#options.residency.add(version.table, readable, facts);
    return readable;
  }

  #pinned(dataset: Dataset, version: Version, manifest: VersionManifest): PinnedVersion {
    const { residency, removal } = this.#options;
    const { segmentPaths } = this.makeKnown(dataset, version, manifest);
    const use = residency.use(version.table);
    let held = true;
    return {
      dataset: dataset.record.name,
      place: version,
      manifest,
      segmentPaths,
      ...(use && { residentTable: use.table }),
      [Symbol.asyncDispose]: async () => {
        if (!held) return;
        held = false;
        use?.[Symbol.dispose]();
        await removal.release(dataset, version);
      },
    };
  }
}
