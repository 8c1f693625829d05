import type { DroverError } from "./errors.ts";
import type { Filter } from "./query/filter.ts";
import type { Increment, RefreshStatus } from "./refresh.ts";
import type { JsonObject, ResultValue } from "./values.ts";

/** The family that a column's type belongs to. An unknown one from a newer driver is `other`. */
export type TypeKind =
  | "boolean"
  | "integer"
  | "decimal"
  | "float"
  | "text"
  | "binary"
  | "date"
  | "time"
  | "timestamp"
  | "timestampTz"
  | "interval"
  | "nested"
  | "other";

/** A column of a dataset or of a result. */
export interface Column {
  readonly name: string;
  /** The full type as SQL text, for example `DECIMAL(18,3)`. */
  readonly type: string;
  readonly kind: TypeKind;
}

/** Free labels. */
export type Labels = Readonly<Record<string, string>>;

/** Who a driver is and how it is. Sizes are bytes. */
export interface DriverInfo {
  readonly version: string;
  readonly apiVersion: string;
  readonly instanceId: string;
  readonly profile: string;
  readonly fingerprint: string;
  readonly state: "starting" | "serving" | "draining" | "stopping" | "unknown";
  readonly startTime: Date | undefined;
  readonly pid: number;
  readonly capabilities: readonly string[];
  readonly pools: readonly Pool[];
  readonly memory: Memory;
  /** Undefined for a driver that has none: one of an older version. */
  readonly workers: Workers | undefined;
  readonly threads: number;
  readonly eventLoopDelayP99Ms: number;
  /** Who is attached. */
  readonly leases: readonly LeaseInfo[];
  /** How many operations run or wait. */
  readonly runningOperations: number;
  /** Why it drains; empty unless it does. */
  readonly drainReason: string;
  /** The launch that started it; empty where no client did. */
  readonly launchId: string;
  /** Where its log goes, on its host; empty where that is not known. */
  readonly logFile: string;
  /** Those that its configuration names, as they were when it started, by name; empty for a driver of an older version. */
  readonly librarySets: readonly RunningLibrarySet[];
}

/** A library set that a driver works with. */
export interface RunningLibrarySet {
  readonly name: string;
  /** Hexadecimal digits; the name may point to another set by now. */
  readonly hash: string;
  /** The kinds of source that it serves. */
  readonly kinds: readonly string[];
  /** The patterns of names of sources and connections that it serves. */
  readonly sourcePatterns: readonly string[];
  /** Those that it was made for, by name. */
  readonly packages: readonly PackageVersion[];
}

/** A package at a version. */
export interface PackageVersion {
  readonly name: string;
  readonly version: string;
}

/** What read a source. */
export interface UsedLibraries {
  /** Undefined for the driver's own libraries. */
  readonly set: { readonly name: string; readonly hash: string } | undefined;
  /** Those whose code ran, by name. */
  readonly packages: readonly PackageVersion[];
}

/** What an attached client holds; a driver with leases is not idle. */
export interface LeaseInfo {
  readonly id: string;
  /** How the client names itself. */
  readonly clientName: string;
  /** As the client says; empty where it does not. */
  readonly clientHost: string;
  /** As the client says; 0 where it does not. */
  readonly clientPid: number;
  readonly clientVersion: string;
  /** The name that its token or certificate carries. */
  readonly principal: string;
  readonly attachTime: Date | undefined;
}

/** What the driver answers when it is asked to end. */
export interface EndAnswer {
  /** When what still runs is cancelled. */
  readonly deadline: Date;
  /** How many operations run or wait. */
  readonly runningOperations: number;
}

/** Why a version has left memory. An unknown one from a newer driver is `unknown`. */
export type EvictionReason = "budget" | "idle" | "superseded" | "removed" | "level" | "requested" | "unknown";

/** What a driver tells the clients that are attached to it. */
export type DriverEvent =
  /**
   * First, and again whenever events may have been missed: after a broken connection, at the next driver, and where they
   * were not read in time.
   */
  | { readonly type: "attached"; readonly instanceId: string }
  /** A dataset has a new current version; 1 for a new dataset. */
  | { readonly type: "datasetPublished"; readonly dataset: string; readonly version: number }
  | { readonly type: "datasetDropped"; readonly dataset: string }
  /** A version has left the driver's memory; queries read its segments. */
  | {
      readonly type: "datasetEvicted";
      readonly dataset: string;
      readonly version: number;
      readonly bytes: number;
      readonly reason: EvictionReason;
    }
  /** A version of a pinned dataset has no room in the driver's memory; queries read its segments. */
  | {
      readonly type: "datasetPinRefused";
      readonly dataset: string;
      readonly version: number;
      readonly message: string;
    }
  /** The driver finishes what runs, until the deadline; new calls go to the next one. */
  | { readonly type: "draining"; readonly reason: string; readonly deadline: Date | undefined }
  | {
      readonly type: "memoryPressure";
      /** Whether the memory is nearly used up now. */
      readonly high: boolean;
      readonly processBytes: number;
      readonly budgetBytes: number;
    };

/** A share of the driver's machine for one kind of work. */
export interface Pool {
  readonly name: string;
  readonly size: number;
  readonly running: number;
  readonly queued: number;
  readonly maxQueued: number;
}

/** The pool of loader workers; counts of processes, but for `queued` (who waits for one) and the bytes. */
export interface Workers {
  readonly now: number;
  readonly busy: number;
  readonly wanted: number;
  readonly pendingToAdd: number;
  readonly pendingToRemove: number;
  readonly maxNeeded: number;
  readonly queued: number;
  readonly min: number;
  readonly max: number;
  /** What one worker may take of memory. */
  readonly workerBytes: number;
  /** What all of them take. */
  readonly bytes: number;
}

/** How the driver's memory budget is divided and used, in bytes. With a scope `residentBytes` and `processBytes` are 0. */
export interface Memory {
  readonly budgetBytes: number;
  readonly residentBudgetBytes: number;
  readonly residentBytes: number;
  readonly readerLimitBytes: number;
  readonly loaderLimitBytes: number;
  readonly processBytes: number;
}

/** Where data comes from. */
export interface Source {
  /**
   * A path, a glob or a `file:` URI on the driver's machine, a database's URL without a password, or `source:NAME`. Left out where
   * `connection` says where.
   */
  readonly uri?: string | undefined;
  /** The stored connection to use; `options` then say which table or query. */
  readonly connection?: string | undefined;
  /** The kind, for example `csv` or `postgres`. Default: taken from the URI's ending or scheme. */
  readonly format?: string | undefined;
  /** Options of the connector, by name. */
  readonly options?: JsonObject | undefined;
}

/** Pasted text as a source. The driver keeps it like an upload. */
export interface TextSource {
  readonly text: string;
  /** Default: what the text looks like. */
  readonly format?: string | undefined;
  readonly options?: JsonObject | undefined;
}

/** A file that a client has sent to the driver, or sends. */
export interface Upload {
  readonly id: string;
  /** What a source calls it: `upload:ID`. */
  readonly uri: string;
  /** The client's name for it. */
  readonly name: string;
  /** Empty where the name tells it. */
  readonly format: string;
  /** Whether all of it is there and verified. */
  readonly finished: boolean;
  /** How many bytes the driver has. */
  readonly receivedBytes: number;
  /** Undefined while it is not known. */
  readonly size: number | undefined;
  /** In hexadecimal digits; empty while it is not known. */
  readonly sha256: string;
  readonly requestedBy: string;
  readonly createTime: Date | undefined;
  readonly useTime: Date | undefined;
  readonly finishTime: Date | undefined;
}

/** One immutable state of a dataset. */
export interface Version {
  readonly number: number;
  readonly rows: number;
  /** Bytes of its segments on disk. */
  readonly bytes: number;
  readonly segments: number;
  readonly createTime: Date | undefined;
  readonly source: Source | undefined;
  /** Which of the source's rows were loaded; undefined for all of them. */
  readonly filter: Filter | undefined;
  /** At most so many of them; 0 for no limit. */
  readonly limit: number;
  readonly operationId: string;
  /** Bytes that were read from the source. */
  readonly sourceBytes: number;
  readonly warnings: readonly string[];
  readonly rejectedRows: number;
  /** Whether the token shows only a part of it: rows, sizes, source and warnings are then not told (0, or empty). */
  readonly partial: boolean;
  /** When its source began to be read: its rows are as old as that. */
  readonly readTime: Date | undefined;
  /** The version that a rollback made current again as this one; 0 for all others. */
  readonly restoredFrom: number;
  /** How refreshes tell what is new at the source; undefined where they read everything. */
  readonly increment: Increment | undefined;
  /** What read the source; undefined where no client library did, as for files. */
  readonly libraries: UsedLibraries | undefined;
}

/** Where a dataset is kept: on disk only, in memory while the budget allows, or in memory until it gets another level. */
export type StorageLevel = "disk" | "memory" | "pinned";

/** Named columnar data that queries run on. */
export interface Dataset {
  readonly name: string;
  readonly version: Version;
  /** Empty in lists. */
  readonly columns: readonly Column[];
  readonly labels: Labels;
  readonly createTime: Date | undefined;
  /** Whether the version is in memory. */
  readonly resident: boolean;
  readonly residentBytes: number;
  readonly storageLevel: StorageLevel;
  /** Why the driver does not keep it as its level says; empty while it does. */
  readonly storageLevelProblem: string;
  /** Its refreshes; undefined in lists. */
  readonly refresh: RefreshStatus | undefined;
}

/** How far an operation is. No value ever goes back. */
export interface Progress {
  /** The share that is done, 0 to 1; undefined while unknown. */
  readonly fraction: number | undefined;
  readonly rows: number;
  readonly bytes: number;
  /** 0 while unknown. */
  readonly totalBytes: number;
  readonly rowsPerSecond: number;
  readonly bytesPerSecond: number;
  readonly phase: string;
}

/** What an operation does. */
export type OperationKind = "load" | "query" | "export" | "append" | "unknown";

/** Where an operation stands. */
export type OperationState =
  | "pending"
  | "running"
  | "cancelling"
  | "succeeded"
  | "failed"
  | "cancelled"
  | "lost"
  | "unknown";

/** Anything that takes time. */
export interface Operation {
  readonly id: string;
  readonly kind: OperationKind;
  readonly state: OperationState;
  readonly dataset: string;
  readonly progress: Progress | undefined;
  readonly error: DroverError | undefined;
  readonly requestedBy: string;
  readonly labels: Labels;
  readonly configuration: JsonObject;
  readonly outcome: JsonObject;
  readonly createTime: Date | undefined;
  readonly startTime: Date | undefined;
  readonly endTime: Date | undefined;
}

/** A row that could not be loaded. */
export interface RejectedRow {
  readonly file: string;
  /** Counted from 1; 0 if unknown. */
  readonly line: number;
  readonly column: string;
  readonly reason: string;
  readonly text: string;
}

/** What a query took and read. Times are milliseconds. */
export interface QuerySummary {
  readonly rows: number;
  readonly rowsScanned: number;
  readonly bytesScanned: number;
  readonly timings: {
    readonly queuedMs: number;
    readonly plannedMs: number;
    readonly executedMs: number;
    readonly encodedMs: number;
  };
  /** The versions that were read, by dataset. */
  readonly versions: Readonly<Record<string, number>>;
}

/** What a column holds. */
export interface ColumnStatistics {
  readonly column: Column;
  readonly nullCount: number;
  /** A few percent off. */
  readonly approximateDistinctCount: number;
  readonly min: ResultValue;
  readonly max: ResultValue;
  readonly mean: number | undefined;
  readonly stddev: number | undefined;
  /** The quantiles 0.25, 0.5 and 0.75, approximate; empty for all but numbers. */
  readonly quartiles: readonly number[];
}

/** How a query would be answered. */
export interface Explanation {
  /** The engine-neutral plan; undefined for SQL. */
  readonly plan: JsonObject | undefined;
  /** The plan as indented text. */
  readonly text: string;
  /** What the engine would run. */
  readonly statement: string;
  readonly columns: readonly Column[];
}
