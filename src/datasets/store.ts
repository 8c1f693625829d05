import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Catalog } from "../catalog/catalog.ts";
import type { StorageLevel } from "../catalog/datasets.ts";
import type { Instance } from "../catalog/instance.ts";
import type { ReadEngine } from "../engine/engine.ts";
import { DriverError } from "../errors/driver-error.ts";
import type { Dataset } from "./dataset.ts";
import { DatasetIndex, refuseOtherCase } from "./dataset-index.ts";
import { deleteDataset } from "./delete.ts";
import type { DatasetEventListener } from "./events.ts";
import { Exclusive } from "./exclusive.ts";
import { asStorageError, makeFolder } from "./files.ts";
import { emptyTrash, findDatasets } from "./find-datasets.ts";
import { Holds } from "./holds.ts";
import { datasetsFolder, stagingFolder, trashFolder } from "./layout.ts";
import { Levels } from "./levels.ts";
import type { DatasetInfo, DatasetStore, Lineage, PinnedVersion, StagedVersion, VersionManifest } from "./model.ts";
import { nameKey } from "./names.ts";
import { type CatalogState, catalogState, Neighbours } from "./neighbours.ts";
import { type PublishRequest, publishFolder, sealSegments } from "./publish.ts";
import { Readers } from "./readers.ts";
import { Removal } from "./removal.ts";
import { Residency } from "./residency.ts";
import type { RetentionPolicy } from "./retention.ts";
import { rollback } from "./rollback.ts";
import { Space, type SpaceLimits } from "./space.ts";
import { makeStagingFolder, removeDeadStaging, stagedVersion } from "./staging.ts";
import { Succession } from "./succession.ts";
import { Upkeep } from "./upkeep.ts";

export interface DatasetStoreOptions {
  /** Absolute. */
  readonly dataDirectory: string;
  readonly instance: Instance;
  readonly catalog: Pick<Catalog, "datasets" | "changes" | "drivers">;
  readonly engine: Pick<ReadEngine, "makeResident" | "dropResident">;
  readonly residency: { readonly budgetBytes: number; readonly idleMs: number };
  readonly retention: RetentionPolicy;
  readonly quota: SpaceLimits;
  readonly onEvent?: DatasetEventListener;
}

/** Opens the datasets of a data directory and removes what dead driver processes have left in it. */
export async function openDatasetStore(options: DatasetStoreOptions): Promise<DatasetStore> {
  const { dataDirectory, instance, catalog } = options;
  const onEvent = options.onEvent ?? (() => undefined);
  try {
    for (const folder of [datasetsFolder, stagingFolder, trashFolder]) await makeFolder(folder(dataDirectory));
    for (const owner of await removeDeadStaging(dataDirectory, instance)) onEvent({ type: "stagingRemoved", owner });
    const since = await catalogState(catalog);
    const datasets = await findDatasets({ dataDirectory, catalog, onEvent });
    return new FileDatasetStore(options, onEvent, { datasets, since });
  } catch (error) {
    throw asStorageError(error);
  }
}

class FileDatasetStore implements DatasetStore {
  readonly #options: DatasetStoreOptions;
  readonly #onEvent: DatasetEventListener;
  readonly #index = new DatasetIndex();
  /** One change of a dataset after the other, by the key of its name. */
  readonly #exclusive = new Exclusive();
  /** How many versions of a name are staged, by its key. */
  readonly #staged = new Map<string, number>();
  readonly #residency: Residency;
  readonly #removal: Removal;
  readonly #holds: Holds;
  readonly #neighbours: Neighbours;
  readonly #readers: Readers;
  readonly #levels: Levels;
  readonly #space: Space;
  readonly #succession: Succession;
  readonly #background = new Set<Promise<void>>();
  readonly #upkeep: Upkeep;
  #closing: Promise<void> | undefined;

  constructor(
    options: DatasetStoreOptions,
    onEvent: DatasetEventListener,
    { datasets, since }: { readonly datasets: readonly Dataset[]; readonly since: CatalogState },
  ) {
    const { dataDirectory, catalog } = options;
    this.#options = options;
    this.#onEvent = onEvent;
    this.#residency = new Residency({ engine: options.engine, ...options.residency, onEvent });
    this.#holds = new Holds(catalog.datasets);
    const [residency, holds] = [this.#residency, this.#holds];
    this.#removal = new Removal({ dataDirectory, catalog, residency, holds, onEvent });
    this.#neighbours = new Neighbours({
      ...{ dataDirectory, catalog, index: this.#index, since },
      listener: {
        published: (dataset, before) => this.#succession.follow(dataset, before),
        levelChanged: (dataset) => this.#levels.follow(dataset),
        vanished: (dataset, versions) => {
          this.#inBackground(() => this.#removal.forget(dataset, versions));
          this.#levels.follow(dataset);
        },
        dropped: (dataset) => this.#droppedElsewhere(dataset),
        damaged: (dataset, version, error) =>
          onEvent({ type: "damaged", dataset, version, error: DriverError.from(error) }),
      },
    });
    this.#readers = new Readers({
      ...{ residency, holds, onEvent },
      index: this.#index,
      neighbours: this.#neighbours,
      removal: this.#removal,
    });
    this.#space = new Space(dataDirectory, options.quota);
    const background = { inBackground: (task: () => Promise<void>) => this.#inBackground(task) };
    this.#levels = new Levels({
      ...{ catalog: catalog.datasets, index: this.#index, residency, readers: this.#readers, onEvent, ...background },
    });
    this.#succession = new Succession({
      ...{ dataDirectory, index: this.#index, residency, holds, readers: this.#readers, levels: this.#levels, onEvent },
      retain: (key) => this.#retain(key),
      ...background,
    });
    for (const dataset of datasets) this.#index.add(dataset);
    for (const dataset of datasets) this.#levels.follow(dataset);
    this.#inBackground(() => emptyTrash(dataDirectory));
    this.#upkeep = new Upkeep({
      ...{ ...options, neighbours: this.#neighbours, holds, removal: this.#removal, onEvent },
      retain: (uid) => this.#retainUid(uid),
      retainAll: () => this.#retainAll(),
      retryLevels: () => this.#levels.retry(),
      ...background,
    });
  }

  pin(name: string, number: number, options: { signal: AbortSignal }): Promise<PinnedVersion> {
    return this.#readers.pin(name, number, options);
  }

  refresh(): Promise<void> {
    return this.#neighbours.refresh();
  }

  get(name: string): DatasetInfo {
    const dataset = this.#index.find(name);
    const info = this.#info(dataset);
    if (info !== undefined) return info;
    const version = String(dataset.current?.number);
    throw new DriverError("VERSION_DAMAGED", `the manifest of version ${version} of "${name}" can't be read`, {
      metadata: { dataset: name, version },
    });
  }

  resolve(name: string): string | undefined {
    return this.#index.get(nameKey(name))?.record.name;
  }

  nameOf(uid: string): string | undefined {
    return this.#index.withUid(uid)?.record.name;
  }

  list({ labels }: { labels: Readonly<Record<string, string>> }): readonly DatasetInfo[] {
    const wanted = Object.entries(labels);
    const infos: DatasetInfo[] = [];
    for (const dataset of this.#index.all()) {
      if (!wanted.every(([key, value]) => dataset.record.labels[key] === value)) continue;
      const info = this.#info(dataset);
      if (info !== undefined) infos.push(info);
    }
    return infos.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async versions(name: string): Promise<readonly VersionManifest[]> {
    await this.refresh();
    const dataset = this.#index.find(name);
    const manifests: VersionManifest[] = [];
    for (const version of dataset.newestFirst()) {
      const stored = await version.read().catch((error) => {
        // Another process may remove it meanwhile.
        if (existsSync(version.folder)) this.#readers.damaged(dataset, version, error);
      });
      if (stored !== undefined) manifests.push(stored.manifest);
    }
    return manifests;
  }

  async stage(name: string, { givesWay = false }: { readonly givesWay?: boolean } = {}): Promise<StagedVersion> {
    const key = nameKey(name);
    await this.refresh();
    refuseOtherCase(name, this.#index.get(key)?.record.name);
    // Counted before anything is waited for: from here on nobody deletes the dataset.
    if (!givesWay) this.#staged.set(key, (this.#staged.get(key) ?? 0) + 1);
    const closed = () => (givesWay ? undefined : this.#unstage(key));
    try {
      await this.#space.check();
      const folder = await makeStagingFolder(this.#options.dataDirectory, this.#options.instance);
      return stagedVersion(folder, {
        publish: (content, labels, options) => this.#publish({ name, folder, content, labels, ...options }),
        closed,
      });
    } catch (error) {
      closed();
      throw asStorageError(error);
    }
  }

  async rollback(name: string, version: number, { signal }: { signal: AbortSignal }): Promise<DatasetInfo> {
    await this.refresh();
    return rollback(this, this.#index.find(name).version(0), { name, version, signal });
  }

  async delete(name: string): Promise<void> {
    const key = nameKey(name);
    await this.#exclusive.run(key, async () => {
      await this.refresh();
      const dataset = this.#index.find(name);
      if (this.#staged.has(key)) {
        throw new DriverError("LOAD_CONFLICT", `a load of the dataset "${name}" runs`, { metadata: { dataset: name } });
      }
      try {
        await this.#delete(dataset);
      } catch (error) {
        // Whatever has come of it stands on disk.
        await this.#neighbours.lookAt(dataset.record.uid).catch((again) => this.#removal.failed(again));
        throw asStorageError(error);
      }
    });
  }

  async recheck(name: string, number: number): Promise<void> {
    const dataset = this.#index.find(name);
    const version = dataset.version(number);
    version.doubt();
    await this.#readers.check(dataset, version);
  }

  isCurrent(name: string, version: number): boolean {
    const dataset = this.#index.get(nameKey(name));
    return dataset?.record.name === name && (dataset.lost ?? dataset.current?.number) === version;
  }

  async lineage(name: string): Promise<Lineage | undefined> {
    const dataset = this.#index.get(nameKey(name));
    const there = dataset?.record.name === name && dataset.lost === undefined ? dataset.current : undefined;
    const stored = await there?.read().catch(() => undefined);
    if (stored !== undefined) return stored.manifest.lineage;
    const noted = await this.#options.catalog.datasets.lineage(name);
    return noted === undefined ? undefined : JSON.parse(noted);
  }

  checkSpace(): Promise<void> {
    return this.#space.check();
  }

  async setStorageLevel(
    name: string,
    level: StorageLevel,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<DatasetInfo> {
    await this.refresh();
    await this.#levels.set(name, level, { signal }).catch((error) => {
      throw asStorageError(error);
    });
    return this.get(name);
  }

  async evict(name: string): Promise<void> {
    const versions = this.#index.find(name).newestFirst();
    await Promise.all(versions.map(({ table }) => this.#residency.evict(table, "requested")));
  }

  memory(): { readonly budgetBytes: number; readonly residentBytes: number; readonly pinnedBytes: number } {
    const { budgetBytes, residentBytes, pinnedBytes } = this.#residency;
    return { budgetBytes, residentBytes, pinnedBytes };
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  #info(dataset: Dataset): DatasetInfo | undefined {
    const { record, current } = dataset;
    const levelProblem = this.#levels.problem(dataset);
    if (current?.manifest === undefined) return undefined;
    const { name, labels, createTime } = record;
    const bytes = this.#residency.bytesOf(current.table);
    return {
      uid: record.uid,
      name,
      labels,
      createTime: createTime.toISOString(),
      current: current.manifest,
      resident: bytes !== undefined,
      residentBytes: bytes ?? 0,
      storageLevel: record.storageLevel,
      ...(levelProblem && { levelProblem }),
    };
  }

  async #delete(dataset: Dataset): Promise<void> {
    const trash = await deleteDataset(this.#options, dataset, () => {
      this.#index.remove(dataset);
      dataset.retireAll();
    });
    this.#onEvent({ type: "dropped", dataset: dataset.record.name });
    if (trash === undefined) await this.#removal.remove(dataset, dataset.retired);
    else await this.#removal.discard(dataset, trash);
  }

  #unstage(key: string): void {
    const left = (this.#staged.get(key) ?? 1) - 1;
    if (left > 0) this.#staged.set(key, left);
    else this.#staged.delete(key);
  }

  async #publish(request: PublishRequest): Promise<DatasetInfo> {
    const { name, folder, content } = request;
    await sealSegments(folder, content);
    await this.#space.check();
    return this.#exclusive.run(nameKey(name), async () => {
      const { dataDirectory, catalog } = this.#options;
      const published = await publishFolder({ dataDirectory, catalog: catalog.datasets }, request).catch((error) =>
        this.#overtaken(name, error),
      );
      if (!published.told) this.#upkeep.tellLater(published.record.uid);
      this.#succession.add(published);
      return this.get(name);
    });
  }

  /**
   * A process that died in the middle of publishing has told nobody: the version that is in the way is there, but whoever waits for
   * the catalog to say so waits for ever.
   */
  async #overtaken(name: string, error: unknown): Promise<never> {
    const { datasets } = this.#options.catalog;
    if (error instanceof DriverError && error.reason === "VERSION_CONFLICT") {
      const key = nameKey(name);
      const record = (await datasets.list()).find((each) => each.nameKey === key);
      if (record !== undefined) await this.#neighbours.lookAt(record.uid);
    }
    throw error;
  }

  #droppedElsewhere(dataset: Dataset): void {
    this.#onEvent({ type: "dropped", dataset: dataset.record.name });
    this.#inBackground(() => this.#removal.remove(dataset, dataset.retired));
  }

  async #retainAll(): Promise<void> {
    for (const { record } of this.#index.all()) await this.#retain(record.nameKey);
  }

  async #retainUid(uid: string): Promise<void> {
    const dataset = this.#index.withUid(uid);
    if (dataset !== undefined) await this.#retain(dataset.record.nameKey);
  }

  #retain(key: string): Promise<void> {
    return this.#exclusive.run(key, async () => {
      // Versions of other processes count, too.
      await this.refresh();
      const dataset = this.#index.get(key);
      if (dataset !== undefined) await this.#removal.retain(dataset, this.#options.retention);
    });
  }

  #inBackground(task: () => Promise<void>): void {
    const running = task()
      .catch((error) => this.#removal.failed(error))
      .finally(() => this.#background.delete(running));
    this.#background.add(running);
  }

  async #close(): Promise<void> {
    this.#upkeep[Symbol.dispose]();
    this.#succession[Symbol.dispose]();
    this.#levels[Symbol.dispose]();
    await this.#residency[Symbol.asyncDispose]();
    while (this.#background.size > 0) await Promise.all(this.#background);
    const { dataDirectory, instance } = this.#options;
    await rm(join(stagingFolder(dataDirectory), instance.id), { recursive: true, force: true });
  }
}
