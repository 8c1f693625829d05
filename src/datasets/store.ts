import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { DatasetCatalog } from "../catalog/datasets.ts";
import type { Instance } from "../catalog/instance.ts";
import type { ReadableVersion, ReadEngine } from "../engine/engine.ts";
import { DriverError } from "../errors/driver-error.ts";
import { claimName } from "./claim-name.ts";
import { Dataset } from "./dataset.ts";
import { DatasetIndex, refuseOtherCase } from "./dataset-index.ts";
import type { DatasetEventListener } from "./events.ts";
import { Exclusive } from "./exclusive.ts";
import { asStorageError, makeFolder } from "./files.ts";
import { emptyTrash, findDatasets } from "./find-datasets.ts";
import { datasetsFolder, stagingFolder, trashFolder, versionFolder } from "./layout.ts";
import type { DatasetInfo, DatasetStore, PinnedVersion, StagedVersion, VersionManifest } from "./model.ts";
import { nameKey } from "./names.ts";
import { publishFolder, sealSegments, type VersionContent } from "./publish.ts";
import { Removal } from "./removal.ts";
import { Residency } from "./residency.ts";
import type { RetentionPolicy } from "./retention.ts";
import { Space, type SpaceLimits } from "./space.ts";
import { makeStagingFolder, removeDeadStaging, stagedVersion } from "./staging.ts";
import { Version } from "./version.ts";

export interface DatasetStoreOptions {
  /** Absolute. */
  readonly dataDirectory: string;
  readonly instance: Instance;
  readonly catalog: DatasetCatalog;
  readonly engine: Pick<ReadEngine, "makeResident" | "dropResident">;
  readonly residency: { readonly budgetBytes: number; readonly idleMs: number };
  readonly retention: RetentionPolicy;
  readonly quota: SpaceLimits;
  readonly onEvent?: DatasetEventListener;
}

const RETENTION_EVERY_MS = 3_600_000;

/** Opens the datasets of a data directory and removes what dead driver processes have left in it. */
export async function openDatasetStore(options: DatasetStoreOptions): Promise<DatasetStore> {
  const { dataDirectory, instance, catalog } = options;
  const onEvent = options.onEvent ?? (() => undefined);
  try {
    for (const folder of [datasetsFolder, stagingFolder, trashFolder]) await makeFolder(folder(dataDirectory));
    for (const owner of await removeDeadStaging(dataDirectory, instance)) onEvent({ type: "stagingRemoved", owner });
    return new FileDatasetStore(options, onEvent, await findDatasets({ dataDirectory, catalog, onEvent }));
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
  readonly #space: Space;
  readonly #background = new Set<Promise<void>>();
  readonly #retentionTimer: NodeJS.Timeout;
  #closing: Promise<void> | undefined;

  constructor(options: DatasetStoreOptions, onEvent: DatasetEventListener, datasets: readonly Dataset[]) {
    const { dataDirectory } = options;
    this.#options = options;
    this.#onEvent = onEvent;
    this.#residency = new Residency({ engine: options.engine, ...options.residency, onEvent });
    this.#removal = new Removal({ dataDirectory, residency: this.#residency, onEvent });
    this.#space = new Space(dataDirectory, options.quota);
    for (const dataset of datasets) this.#index.add(dataset);
    this.#inBackground(() => emptyTrash(dataDirectory));
    this.#retentionTimer = setInterval(() => this.#inBackground(() => this.#retainAll()), RETENTION_EVERY_MS).unref();
  }

  async pin(name: string, number: number, { signal }: { signal: AbortSignal }): Promise<PinnedVersion> {
    signal.throwIfAborted();
    const dataset = this.#index.find(name);
    const version = dataset.version(number);
    // Before anything is waited for: from here on nobody removes it.
    version.pins++;
    try {
      const manifest = await this.#checked(dataset, version);
      signal.throwIfAborted();
      return this.#pinned(dataset, version, manifest);
    } catch (error) {
      await this.#removal.release(dataset, version);
      throw error;
    }
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
    const dataset = this.#index.find(name);
    const manifests: VersionManifest[] = [];
    for (const version of dataset.newestFirst()) {
      const stored = await version.read().catch((error) => this.#damaged(dataset, version, error));
      if (stored !== undefined) manifests.push(stored.manifest);
    }
    return manifests;
  }

  async stage(name: string): Promise<StagedVersion> {
    const key = nameKey(name);
    refuseOtherCase(name, this.#index.get(key)?.record.name);
    // Counted before anything is waited for: from here on nobody deletes the dataset.
    this.#staged.set(key, (this.#staged.get(key) ?? 0) + 1);
    try {
      await this.#space.check();
      const folder = await makeStagingFolder(this.#options.dataDirectory, this.#options.instance);
      return stagedVersion(folder, {
        publish: (content, labels) => this.#publish(name, folder, content, labels),
        closed: () => this.#unstage(key),
      });
    } catch (error) {
      this.#unstage(key);
      throw asStorageError(error);
    }
  }

  async delete(name: string): Promise<void> {
    const key = nameKey(name);
    await this.#exclusive.run(key, async () => {
      const dataset = this.#index.find(name);
      if (this.#staged.has(key)) {
        throw new DriverError("LOAD_CONFLICT", `a load of the dataset "${name}" runs`, { metadata: { dataset: name } });
      }
      try {
        await this.#removal.delete(dataset, () => this.#index.remove(dataset));
        await this.#options.catalog.remove(dataset.record.uid);
      } catch (error) {
        throw asStorageError(error);
      }
    });
  }

  async recheck(name: string, number: number): Promise<void> {
    const dataset = this.#index.find(name);
    const version = dataset.version(number);
    version.doubt();
    await this.#checked(dataset, version);
  }

  checkSpace(): Promise<void> {
    return this.#space.check();
  }

  async evict(name: string): Promise<void> {
    const versions = this.#index.find(name).newestFirst();
    await Promise.all(versions.map(({ table }) => this.#residency.evict(table, "requested")));
  }

  memory(): { readonly budgetBytes: number; readonly residentBytes: number } {
    return { budgetBytes: this.#residency.budgetBytes, residentBytes: this.#residency.residentBytes };
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  #info({ record, current }: Dataset): DatasetInfo | undefined {
    if (current?.manifest === undefined) return undefined;
    const { name, labels, createTime } = record;
    const bytes = this.#residency.bytesOf(current.table);
    return {
      name,
      labels,
      createTime: createTime.toISOString(),
      current: current.manifest,
      resident: bytes !== undefined,
      residentBytes: bytes ?? 0,
    };
  }

  async #checked(dataset: Dataset, version: Version): Promise<VersionManifest> {
    if (version.isWhole && version.manifest !== undefined) return version.manifest;
    try {
      return await version.check();
    } catch (error) {
      this.#damaged(dataset, version, error);
      throw dataset.explainDamage(version, error);
    }
  }

  #damaged(dataset: Dataset, version: Version, error: unknown): undefined {
    const { name } = dataset.record;
    this.#onEvent({ type: "damaged", dataset: name, version: version.number, error: DriverError.from(error) });
  }

  #pinned(dataset: Dataset, version: Version, manifest: VersionManifest): PinnedVersion {
    const { segmentPaths } = this.#makeKnown(dataset, version, manifest);
    const use = this.#residency.use(version.table);
    let held = true;
    return {
      dataset: dataset.record.name,
      manifest,
      segmentPaths,
      ...(use && { residentTable: use.table }),
      [Symbol.asyncDispose]: async () => {
        if (!held) return;
        held = false;
        use?.[Symbol.dispose]();
        await this.#removal.release(dataset, version);
      },
    };
  }

  /** Tells the memory level of a version, unless the version is on its way out. */
  #makeKnown({ record }: Dataset, version: Version, manifest: VersionManifest): ReadableVersion {
    const segmentPaths = manifest.segments.map(({ file }) => join(version.folder, file));
    const readable = { dataset: record.name, version: version.number, columns: manifest.columns, segmentPaths };
    if (!version.retired) this.#residency.add(version.table, readable, manifest.bytes);
    return readable;
  }

  #unstage(key: string): void {
    const left = (this.#staged.get(key) ?? 1) - 1;
    if (left > 0) this.#staged.set(key, left);
    else this.#staged.delete(key);
  }

  async #publish(
    name: string,
    folder: string,
    content: VersionContent,
    labels: Readonly<Record<string, string>>,
  ): Promise<DatasetInfo> {
    await sealSegments(folder, content);
    await this.#space.check();
    return this.#exclusive.run(nameKey(name), async () => {
      const { dataDirectory, catalog } = this.#options;
      const known = this.#index.get(nameKey(name));
      const record = await claimName({ dataDirectory, catalog, known: known?.record, name, labels });
      const owner = { name, labels: record.labels, createTime: record.createTime.toISOString() };
      const stored = await publishFolder(dataDirectory, record.uid, { folder, content, owner });
      const { number } = stored.manifest;
      const version = new Version(record.uid, number, versionFolder(dataDirectory, record.uid, number));
      version.markWhole(stored);
      this.#add(known ?? new Dataset(record), record, version, stored.manifest);
      return this.get(name);
    });
  }

  /** Makes a new version the current one, and lets memory and disk follow in the background. */
  #add(dataset: Dataset, record: Dataset["record"], version: Version, manifest: VersionManifest): void {
    const before = dataset.current;
    dataset.record = record;
    dataset.add(version);
    this.#index.add(dataset);
    this.#onEvent({ type: "published", dataset: record.name, version: version.number });
    this.#makeKnown(dataset, version, manifest);
    this.#inBackground(async () => {
      if (before !== undefined) await this.#residency.evict(before.table, "superseded");
      this.#residency.bringIn(version.table);
    });
    this.#inBackground(() => this.#retain(record.nameKey));
  }

  async #retainAll(): Promise<void> {
    for (const { record } of this.#index.all()) await this.#retain(record.nameKey);
  }

  #retain(key: string): Promise<void> {
    return this.#exclusive.run(key, async () => {
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
    clearInterval(this.#retentionTimer);
    await this.#residency[Symbol.asyncDispose]();
    while (this.#background.size > 0) await Promise.all(this.#background);
    const { dataDirectory, instance } = this.#options;
    await rm(join(stagingFolder(dataDirectory), instance.id), { recursive: true, force: true });
  }
}
