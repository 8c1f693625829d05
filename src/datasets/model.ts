import type { StorageLevel } from "../catalog/datasets.ts";
import type { NamedSource } from "../definitions/model.ts";
import type { SegmentInfo } from "../engine/file-scan.ts";
import type { IncrementRule } from "../engine/increment.ts";
import type { Column } from "../engine/types.ts";
import type { DriverError } from "../errors/driver-error.ts";
import type { RanWith } from "../library-sets/ran-with.ts";

/** The source and options that made a version, as they were named; `specOfLineage` makes a source of it again. */
export interface Lineage extends NamedSource {
  readonly operationId: string;
  /** How refreshes tell what is new at the source. */
  readonly increment?: IncrementRule;
  /** What read the source; absent where no client library did, as for files. */
  readonly libraries?: RanWith;
  /** When the source began to be read: the data are as old as that. Versions of earlier drivers don't say it. */
  readonly readTime?: string;
  /** The version whose segments were made current again. */
  readonly restoredFrom?: number;
  /** The version before it, all of whose rows it has: it was made by an append or a merge of small segments. */
  readonly extends?: number;
  /** How many rows an append has added to the version before, and its id. */
  readonly appended?: { readonly id: string; readonly rows: number };
  /** How many segments of the version before were merged into how many, with the same rows. */
  readonly merged?: { readonly from: number; readonly into: number };
  /** Whether an increment has kept rows that its source may not give: appended ones, or those of an older version. */
  readonly mixed?: true;
}

/** How far an append has come. */
export interface AppendRecord {
  /** How many of its rows are in the dataset, or were before something replaced it. */
  readonly rows: number;
  /** When the last of them came, in Unix time. */
  readonly timeMs: number;
}

/** What stands in a version's manifest. Immutable once published. */
export interface VersionManifest {
  readonly formatVersion: 1;
  readonly number: number;
  readonly createTime: string;
  readonly columns: readonly Column[];
  readonly segments: readonly SegmentInfo[];
  readonly rows: number;
  readonly bytes: number;
  readonly sourceBytes: number;
  readonly lineage: Lineage;
  readonly warnings: readonly string[];
  readonly rejectedRows: number;
  /** The dataset's latest appends by id: every version takes them over from the one before. */
  readonly appends?: Readonly<Record<string, AppendRecord>>;
}

/** What a version is made of; the store adds the rest. */
export type VersionContent = Omit<VersionManifest, "formatVersion" | "number" | "createTime" | "appends">;

/** A dataset as clients see it. */
export interface DatasetInfo {
  readonly uid: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly createTime: string;
  readonly current: VersionManifest;
  readonly resident: boolean;
  readonly residentBytes: number;
  readonly storageLevel: StorageLevel;
  /** Why this process does not keep it as its level says; absent while it does. */
  readonly levelProblem?: DriverError;
}

/** Tells a version from all others, also from those of an earlier dataset of the same name. */
export interface VersionPlace {
  readonly uid: string;
  readonly number: number;
}

/** A version that is held open: its files and its table stay until it is disposed. */
export interface PinnedVersion extends AsyncDisposable {
  readonly dataset: string;
  readonly place: VersionPlace;
  readonly manifest: VersionManifest;
  /** Absolute. */
  readonly segmentPaths: readonly string[];
  readonly residentTable?: string;
}

/** A folder in which a load writes the segments of a version to be. Disposing it without `publish` removes it. */
export interface StagedVersion extends AsyncDisposable {
  /** Absolute and empty. */
  readonly directory: string;
  /** Puts segments of a pinned version into the folder, without copying them where that can be; answers them as they are called here. */
  keep(version: PinnedVersion, segments: readonly SegmentInfo[]): Promise<readonly SegmentInfo[]>;
  /**
   * Makes the version visible by an atomic rename; readers of older versions keep them. Throws VERSION_CONFLICT where
   * `basedOn` is no longer the current version; the folder can then be published on another one.
   */
  publish(
    content: VersionContent,
    labels: Readonly<Record<string, string>>,
    options?: PublishOptions,
  ): Promise<DatasetInfo>;
}

export interface PublishOptions {
  /** The version that must still be the current one; `nothing`: there must be no such dataset. */
  readonly basedOn?: VersionPlace | "nothing";
  /** What the version says of an append, in place of what the version before said. */
  readonly append?: { readonly id: string } & AppendRecord;
}

/** Datasets with their versions: the only code that knows the data directory's layout of them. */
export interface DatasetStore extends AsyncDisposable {
  /**
   * Pins a version for reading (0 = current). One that is not in memory is read from its segments, and brought into memory
   * in the background if the budget allows. Throws DATASET_NOT_FOUND, VERSION_NOT_FOUND, VERSION_DAMAGED.
   */
  pin(name: string, version: number, options: { signal: AbortSignal }): Promise<PinnedVersion>;
  /**
   * Learns what other driver processes have published, relabelled or deleted, for `get`, `list` and `resolve`, which answer what
   * is known; all else does so by itself. Takes microseconds where nothing has happened.
   */
  refresh(): Promise<void>;
  /** Throws DATASET_NOT_FOUND, or VERSION_DAMAGED where the current version's manifest can't be read. */
  get(name: string): DatasetInfo;
  /** The name of the dataset that SQL takes for this one, which compares without regard to case; undefined for none. */
  resolve(name: string): string | undefined;
  /** The name of the dataset with this uid; undefined where it is gone. */
  nameOf(uid: string): string | undefined;
  /** By name. A dataset whose current version's manifest can't be read is left out. */
  list(filter: { labels: Readonly<Record<string, string>> }): readonly DatasetInfo[];
  /** Newest first, damaged ones left out. Throws DATASET_NOT_FOUND. */
  versions(name: string): Promise<readonly VersionManifest[]>;
  /**
   * Throws NAME_CONFLICT, QUOTA_EXCEEDED, DISK_FULL. What only adds to a version gives way to a deletion of the dataset, and then
   * can't be published; all else refuses the deletion.
   */
  stage(name: string, options?: { readonly givesWay?: boolean }): Promise<StagedVersion>;
  /**
   * Makes an older version current again, as a new version over its segments. Nothing happens where that has been done and
   * nothing was published since. Throws DATASET_NOT_FOUND, VERSION_NOT_FOUND, VERSION_CONFLICT.
   */
  rollback(name: string, version: number, options: { signal: AbortSignal }): Promise<DatasetInfo>;
  /** Throws DATASET_NOT_FOUND, or LOAD_CONFLICT while a version is staged. Pinned versions stay until they are let go. */
  delete(name: string): Promise<void>;
  /** To be asked when the engine could not read a version: throws VERSION_DAMAGED if a file of it is missing or cut. */
  recheck(name: string, version: number): Promise<void>;
  /** Whether a version is the current one of a dataset that is known. */
  isCurrent(name: string, version: number): boolean;
  /** What made the current version of a dataset, also where its files are lost; undefined where nothing says it. */
  lineage(name: string): Promise<Lineage | undefined>;
  /** To be asked while a load writes: throws QUOTA_EXCEEDED or DISK_FULL before the disk is full. */
  checkSpace(): Promise<void>;
  /**
   * Says where a dataset and its later versions are kept, in every driver process, and settles once the current version is kept
   * so in this one. A new version of a pinned dataset takes the place of the one before. Throws PIN_REFUSED, and then nothing has
   * changed, where the budget can't hold it beside what is pinned; DATASET_NOT_FOUND, VERSION_DAMAGED.
   */
  setStorageLevel(name: string, level: StorageLevel, options: { signal: AbortSignal }): Promise<DatasetInfo>;
  /** Takes the dataset out of memory as soon as nobody reads it there. */
  evict(name: string): Promise<void>;
  /** What the memory level holds. */
  memory(): { readonly budgetBytes: number; readonly residentBytes: number; readonly pinnedBytes: number };
}
