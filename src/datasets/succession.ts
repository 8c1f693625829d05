import { Dataset } from "./dataset.ts";
import type { DatasetIndex } from "./dataset-index.ts";
import type { DatasetEventListener } from "./events.ts";
import type { Holds } from "./holds.ts";
import { Later } from "./later.ts";
import { versionFolder } from "./layout.ts";
import type { Levels } from "./levels.ts";
import type { Published } from "./publish.ts";
import type { Readers } from "./readers.ts";
import type { Residency } from "./residency.ts";
import { PASSING_KEPT_MS } from "./retention.ts";
import { Version } from "./version.ts";

export interface SuccessionParts {
  readonly dataDirectory: string;
  readonly index: DatasetIndex;
  readonly residency: Residency;
  readonly holds: Holds;
  readonly readers: Readers;
  readonly levels: Levels;
  readonly onEvent: DatasetEventListener;
  /** Removes what the policy no longer keeps of the dataset with this key. */
  readonly retain: (key: string) => Promise<void>;
  readonly inBackground: (task: () => Promise<void>) => void;
}

/** How long there must be no new version of a pinned dataset that takes appends, before memory follows. */
const PIN_SETTLES_MS = 2_000;

/** One version takes the place of another, from this process or another one: who is told, and what follows in memory and on disk. */
export class Succession implements Disposable {
  readonly #parts: SuccessionParts;
  /** Versions that are still pinned in place of the current ones, by uid. */
  readonly #pinnedBefore = new Map<string, Version>();
  readonly #takeOverLater = new Later(PIN_SETTLES_MS, (uid) => {
    const dataset = this.#parts.index.withUid(uid);
    if (dataset !== undefined) this.#takeOver(dataset, dataset.current, { later: false });
  });
  readonly #retainLater = new Later(2 * PASSING_KEPT_MS, (key) =>
    this.#parts.inBackground(() => this.#parts.retain(key)),
  );

  constructor(parts: SuccessionParts) {
    this.#parts = parts;
  }

  /** Makes a new version the current one, and lets memory and disk follow in the background. */
  add({ record, stored }: Published): void {
    const { uid, nameKey: key } = record;
    const { number } = stored.manifest;
    const dataset = this.#parts.index.withUid(uid) ?? new Dataset(record);
    const before = dataset.current;
    // What was read from the catalog may be older than what this process has written.
    dataset.record = { ...record, storageLevel: dataset.record.storageLevel };
    // A look at what other processes do may have found it first.
    if (!dataset.has(number)) {
      const version = new Version(uid, number, versionFolder(this.#parts.dataDirectory, uid, number));
      version.markWhole(stored);
      dataset.add(version);
      this.#parts.index.add(dataset);
      this.#supersede(dataset, version, before, { wanted: true });
    }
    this.#parts.inBackground(() => this.#parts.retain(key));
  }

  /** Tells of a new version; memory follows in the background. */
  #supersede(dataset: Dataset, version: Version, before: Version | undefined, { wanted }: { wanted: boolean }): void {
    if (before !== undefined) this.#parts.holds.letGoSoon(before);
    if (version.manifest !== undefined) this.#parts.readers.makeKnown(dataset, version, version.manifest);
    const isStep = version.manifest?.lineage.extends !== undefined;
    const [name, step] = [dataset.record.name, isStep && ({ step: true } as const)];
    this.#parts.onEvent({ type: "published", dataset: name, version: version.number, ...step });
    if (isStep) this.#retainLater.ask(dataset.record.nameKey);
    if (dataset.record.storageLevel === "pinned") this.#takeOver(dataset, before, { later: isStep });
    else
      this.#parts.inBackground(async () => {
        if (before !== undefined) await this.#parts.residency.evict(before.table, "superseded");
        if (wanted) this.#parts.residency.bringIn(version.table);
      });
  }

  /** The version before stays pinned while a stream of appends adds to it. */
  #takeOver(dataset: Dataset, before: Version | undefined, { later }: { later: boolean }): void {
    const { uid } = dataset.record;
    const pinned = this.#pinnedBefore.get(uid) ?? before;
    if (!later) {
      this.#pinnedBefore.delete(uid);
      this.#parts.levels.takeOver(dataset, pinned);
      return;
    }
    if (pinned !== undefined) this.#pinnedBefore.set(uid, pinned);
    this.#takeOverLater.ask(uid);
  }

  /** A version that another process has published. */
  follow(dataset: Dataset, before: Version | undefined): void {
    // Whoever read the one before from memory will want this one there.
    const wanted = before !== undefined && this.#parts.residency.bytesOf(before.table) !== undefined;
    if (dataset.current !== undefined) this.#supersede(dataset, dataset.current, before, { wanted });
  }

  [Symbol.dispose](): void {
    this.#takeOverLater[Symbol.dispose]();
    this.#retainLater[Symbol.dispose]();
  }
}
