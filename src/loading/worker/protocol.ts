import type { LoadProgress, Preview, WriteOptions } from "../../engine/engine.ts";
import type { ScanColumn, SegmentLimits, WrittenSegments } from "../../engine/file-scan.ts";
import type { Increment, IncrementRule, MergedIncrement, StoredRows } from "../../engine/increment.ts";
import type { ErrorJson } from "../../errors/error-json.ts";
import type { LibraryPackage, PackageVersion, SetConnector, SetParsers } from "../../library-sets/model.ts";
import type {
  HttpAccess,
  Partition,
  SharedSnapshot,
  Source,
  SourcePlan,
  SourceTable,
  SourceTest,
  StatementEnding,
} from "../../sources/connector.ts";
import type { ParserSettings } from "../../sources/parsers/settings.ts";
import type { AppendCalls } from "./append/protocol.ts";
import type { SetDescription } from "./set/offered.ts";

/** The first rows of a source. */
export interface PreviewRequest {
  readonly source: Source;
  readonly rows: number;
}

export interface SourcePreview extends Preview {
  /** The elements that may be the records, the likeliest first; for XML. */
  readonly recordPaths: readonly string[];
}

/** What a worker is told once, before any call. */
export interface WorkerSetup {
  /** Who may use what the driver makes in the data directory. */
  readonly share: "user" | "group";
  readonly fileRoots: readonly string[] | undefined;
  /** Files and folders of the driver itself. */
  readonly reserved: readonly string[];
  readonly parsers: ParserSettings;
  readonly http: HttpAccess;
  /** The worker's own, empty; the pool removes it when the worker has ended. */
  readonly temporaryDirectory: string;
  readonly engine: { readonly memoryLimitBytes: number; readonly threads: number; readonly maxSpillBytes: number };
  /** What it runs with, from its start to its end; left out, the built-in one. */
  readonly set?: WorkerSet;
}

/** A library set as a worker gets it. */
export interface WorkerSet {
  /** Real. */
  readonly folder: string;
  /** SHA-256 of each file by its path in the set; undefined while the set is being made. */
  readonly hashes: readonly (readonly [path: string, sha256: string])[] | undefined;
  readonly packages: readonly Pick<LibraryPackage, "name" | "version" | "path">[];
  readonly connectors: readonly Pick<SetConnector, "kind" | "package" | "version" | "module" | "descriptor">[];
  readonly parsers: readonly SetParsers[];
  /** The module that `@drover/connector` means. */
  readonly interfaceModule: string;
  /** Files and folders of code besides: the driver's program with its engine, and modules that its settings name. */
  readonly others: readonly string[];
}

/** Calls that a worker answers, by name. A worker serves one lease at a time, which may make calls one after the other. */
export interface WorkerCalls extends AppendCalls {
  /** Opens a session of a load. */
  openLoad: {
    readonly params: {
      readonly source: Source;
      /** The load's folder, for segments. */
      readonly directory: string;
      /** For spools and copies, in the file system of the segments; made and removed by the worker. */
      readonly workDirectory: string;
      readonly limits: SegmentLimits;
    };
    readonly result: undefined;
  };
  planLoad: { readonly params: { readonly maxPartitions: number }; readonly result: SourcePlan };
  joinLoad: {
    readonly params: { readonly columns: readonly ScanColumn[] | undefined; readonly shared: SharedSnapshot };
    readonly result: undefined;
  };
  joinedLoad: { readonly params: Record<never, never>; readonly result: undefined };
  readPartition: {
    readonly params: { readonly partition: Partition; readonly number: number; readonly threads: number };
    readonly result: WrittenSegments;
  };
  /** Throws SOURCE_CHANGED. */
  requireUnchanged: { readonly params: Record<never, never>; readonly result: undefined };
  /** Loads a kind's connector and nothing else. Answers the packages whose code the worker has run then. */
  loadConnector: { readonly params: { readonly kind: string }; readonly result: readonly PackageVersion[] };
  /** What the worker's library set offers, with every module of it loaded. Throws CONNECTOR_INVALID. */
  describeConnectors: { readonly params: Record<never, never>; readonly result: SetDescription };
  /** The packages whose code the worker has run so far. */
  packagesInUse: { readonly params: Record<never, never>; readonly result: readonly PackageVersion[] };
  closeLoad: { readonly params: Record<never, never>; readonly result: undefined };
  startOfIncrement: {
    readonly params: { readonly rule: IncrementRule; readonly base: StoredRows };
    readonly result: string | undefined;
  };
  mergeIncrement: {
    readonly params: {
      readonly increment: Increment;
      readonly place: Omit<WriteOptions, "signal" | "onProgress">;
      readonly threads: number;
    };
    readonly result: MergedIncrement;
  };
  testSource: { readonly params: { readonly source: Source }; readonly result: SourceTest };
  previewSource: { readonly params: PreviewRequest; readonly result: SourcePreview };
  /** Tells tables as events. */
  listTables: { readonly params: { readonly source: Source }; readonly result: undefined };
  endStatement: {
    readonly params: { readonly source: Source; readonly ending: StatementEnding };
    readonly result: undefined;
  };
}

export type WorkerMethod = keyof WorkerCalls;
export type ParamsOf<M extends WorkerMethod> = WorkerCalls[M]["params"];
export type ResultOf<M extends WorkerMethod> = WorkerCalls[M]["result"];

/** What a call tells before it ends. */
export type WorkerEvent =
  | { readonly type: "progress"; readonly progress: LoadProgress }
  | { readonly type: "phase"; readonly phase: string }
  | { readonly type: "warning"; readonly messages: readonly string[] }
  | { readonly type: "tables"; readonly tables: readonly SourceTable[] };

export type ToWorker =
  | { readonly type: "setup"; readonly setup: WorkerSetup }
  | { readonly type: "call"; readonly id: number; readonly method: WorkerMethod; readonly params: unknown }
  | { readonly type: "abort"; readonly id: number; readonly error: ErrorJson }
  /** The answer to `statement`. */
  | { readonly type: "granted"; readonly statement: number }
  | { readonly type: "refused"; readonly statement: number; readonly error: ErrorJson }
  | { readonly type: "ping" };

export type FromWorker =
  | { readonly type: "ready" }
  | { readonly type: "result"; readonly id: number; readonly value: unknown }
  /** `detail` is for the log: the stack of what was unexpected. */
  | { readonly type: "failed"; readonly id: number; readonly error: ErrorJson; readonly detail?: string }
  | { readonly type: "event"; readonly id: number; readonly event: WorkerEvent }
  /** Asks for a place among the connection's statements; `ending` stops the statement should this process die. */
  | { readonly type: "statement"; readonly statement: number; readonly id: number; readonly ending: StatementEnding }
  | { readonly type: "statementEnded"; readonly statement: number }
  | { readonly type: "pong" };
