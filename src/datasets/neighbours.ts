import { existsSync } from "node:fs";
import type { Catalog } from "../catalog/catalog.ts";
import { CHANGES_KEPT_MS } from "../catalog/changes.ts";
import type { DatasetRecord } from "../catalog/datasets.ts";
import { Dataset } from "./dataset.ts";
import type { DatasetIndex } from "./dataset-index.ts";
import { versionNumbers } from "./find-datasets.ts";
import { deletedMark, versionFolder } from "./layout.ts";
import { Version } from "./version.ts";

/** What the store does when a dataset has changed elsewhere; all of it at once. */
export interface NeighbourListener {
  published(dataset: Dataset, before: Version | undefined): void;
  /** Another process has changed the storage level. */
  levelChanged(dataset: Dataset): void;
  vanished(dataset: Dataset, versions: readonly Version[]): void;
  dropped(dataset: Dataset): void;
  damaged(dataset: string, version: number, error: unknown): void;
}

export interface NeighbourOptions {
  readonly dataDirectory: string;
  readonly catalog: Pick<Catalog, "datasets" | "changes">;
  readonly index: DatasetIndex;
  /** What the catalog said before the index was filled. */
  readonly since: CatalogState;
  readonly listener: NeighbourListener;
}

/** Up to where the catalog's changes are known. */
export interface CatalogState {
  readonly version: number;
  readonly sequence: number;
  readonly time: number;
}

export async function catalogState({ changes }: Pick<Catalog, "changes">): Promise<CatalogState> {
  return { version: changes.version(), sequence: await changes.latest(), time: Date.now() };
}

/** What a dataset's folder and record say now. */
interface Found {
  readonly record: DatasetRecord | undefined;
  readonly numbers: readonly number[];
  readonly fresh: readonly Version[];
}

/** Keeps the datasets of this process in step with what other driver processes do to them. */
export class Neighbours {
  readonly #options: NeighbourOptions;
  #seen: CatalogState;
  #looking: Promise<void> | undefined;

  constructor(options: NeighbourOptions) {
    this.#options = options;
    this.#seen = options.since;
  }

  /** Whether another process has written since the last look. To be asked in every call. */
  get behind(): boolean {
    return this.#options.catalog.changes.version() !== this.#seen.version;
  }

  /** Learns what other processes have done up to now. */
  async refresh(): Promise<void> {
    if (!this.behind) return;
    // A look that is under way may have begun before what the caller wants to see.
    await this.#looking;
    if (this.behind) await this.#lookOnce();
  }

  /** Looks at one dataset again, whatever the catalog says. */
  async lookAt(uid: string): Promise<void> {
    const { index } = this.#options;
    for (;;) {
      const before = index.withUid(uid);
      const revision = before?.revision;
      const found = await this.#find(uid, before);
      // What this process has done to the dataset meanwhile may not be in what was found.
      if (index.withUid(uid) !== before || before?.revision !== revision) continue;
      this.#apply(before, found);
      return;
    }
  }

  #lookOnce(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #look(): Promise<void> {
    const { changes, datasets } = this.#options.catalog;
    const version = changes.version();
    const { uids, latest } = await changes.since(this.#seen.sequence);
    const time = Date.now();
    // Changes are kept for some days; a process that was stopped for longer looks at everything.
    const all = time - this.#seen.time > CHANGES_KEPT_MS / 2;
    const known = all ? this.#options.index.all().map(({ record }) => record.uid) : [];
    const listed = all ? (await datasets.list()).map(({ uid }) => uid) : [];
    for (const uid of new Set([...known, ...listed, ...uids])) await this.lookAt(uid);
    this.#seen = { version, sequence: latest, time };
  }

  async #find(uid: string, before: Dataset | undefined): Promise<Found> {
    const { dataDirectory, catalog, listener } = this.#options;
    const record = await catalog.datasets.find(uid);
    const there = record !== undefined && !existsSync(deletedMark(dataDirectory, uid));
    const numbers = there ? await versionNumbers(dataDirectory, uid) : [];
    const fresh = numbers
      .filter((number) => before?.has(number) !== true)
      .map((number) => new Version(uid, number, versionFolder(dataDirectory, uid, number)));
    const newest = fresh.find(({ number }) => number === numbers[0]);
    await newest?.read().catch((error) => listener.damaged(record?.name ?? uid, newest.number, error));
    return { record, numbers, fresh };
  }

  /** Without a wait in it: whoever looks sees all of a change or nothing. */
  #apply(present: Dataset | undefined, { record, numbers, fresh }: Found): void {
    const { index, listener } = this.#options;
    if (record === undefined || numbers.length === 0) {
      if (present === undefined) return;
      index.remove(present);
      present.retireAll();
      listener.dropped(present);
      return;
    }
    const dataset = present ?? new Dataset(record);
    const before = dataset.current;
    const levelBefore = dataset.record.storageLevel;
    dataset.record = record;
    for (const version of fresh) dataset.add(version);
    index.add(dataset);
    const vanished = dataset.newestFirst().filter(({ number }) => !numbers.includes(number));
    for (const version of vanished) dataset.retire(version);
    if (vanished.length > 0) listener.vanished(dataset, vanished);
    const { current } = dataset;
    if (present !== undefined && levelBefore !== record.storageLevel) listener.levelChanged(dataset);
    if (current !== undefined && fresh.includes(current)) listener.published(dataset, before);
  }
}
