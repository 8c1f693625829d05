import type { FileScan, SegmentLimits, SniffResult, WrittenSegments } from "./file-scan.ts";
import type { IncrementEngine } from "./increment.ts";
import type { Expr, Plan } from "./plan.ts";
import type { Column, EngineProgress, JsonValue } from "./types.ts";

/** What the reading engine may know of one version: where its segments are and, if it is in memory, under which table. */
export interface ReadableVersion {
  readonly dataset: string;
  readonly version: number;
  readonly columns: readonly Column[];
  /** Absolute paths of the Parquet segments, in the manifest's order; may be empty (a dataset without rows). */
  readonly segmentPaths: readonly string[];
  /** The name that `makeResident` was given, while the version is in memory. */
  readonly residentTable?: string;
  /** What of it is there for whoever asks; left out: all of it. */
  readonly view?: VersionView;
}

/** A part of a version's rows and columns. */
export interface VersionView {
  readonly columns: readonly Column[];
  /** Over all columns of the version; left out: all rows. No expression of the asker's sees a row for which it is not true. */
  readonly rows?: Expr;
}

/** A statement with its values apart. */
export interface Statement {
  readonly text: string;
  /** Bound to `$1`, `$2`, …; typed by the engine from their JavaScript type. */
  readonly parameters: readonly (null | boolean | number | bigint | string)[];
}

/** One part of a result, still in the engine's memory layout. Valid until the next one is asked for. */
export interface ResultBatch {
  readonly rows: number;
  /** One encapsulated Arrow IPC record batch message (with its length prefix). */
  toArrow(): Uint8Array;
  /** Rows of JSON values, exact, as docs/types.md says. */
  toRows(): readonly (readonly JsonValue[])[];
}

/** A result that is read batch by batch. Disposing it stops the statement if it still runs. */
export interface QueryResult extends AsyncDisposable {
  readonly columns: readonly Column[];
  /** The Arrow IPC schema message. */
  arrowSchema(): Uint8Array;
  /** The next batch, about `maxBatchBytes` at most (one row at least); undefined at the end. */
  next(): Promise<ResultBatch | undefined>;
}

export interface QueryOptions {
  /** Aborting it interrupts the statement at once; the promise rejects with the signal's reason as a DriverError. */
  readonly signal: AbortSignal;
  /** Called about 10 times a second while the statement runs. */
  readonly onProgress?: (progress: EngineProgress) => void;
  /** The encoded size at which a batch is cut. Default 1 MiB less a margin for the envelope. */
  readonly maxBatchBytes?: number;
  /** The number of rows at which a batch is cut, since encoding one holds up the event loop. Default 32,768. */
  readonly maxBatchRows?: number;
}

/** A user's SELECT that was found harmless; only `checkSql` makes one. */
export interface CheckedSql {
  /** The text as the user wrote it, but for spaces that are no plain ones. */
  readonly sql: string;
  /** The datasets that it names, as the text spells them, each once. */
  readonly datasets: readonly string[];
  /** The places that name a dataset as a table, in the order of the text. */
  readonly tables: readonly SqlTable[];
  /** Where its datasets are defined when it is run. */
  readonly definitions: SqlDefinitions;
  /** How many values `?` or `$1`, `$2`, … ask for. */
  readonly placeholders: number;
}

/** A place in a user's SELECT for definitions of common table expressions that all of it can see. */
export interface SqlDefinitions {
  /** In UTF-16 units; before every table. */
  readonly at: number;
  /** Whether `WITH` has to be written there, as the SELECT has none of its own. */
  readonly opens: boolean;
  /** What their names begin with: no name in the text does. */
  readonly prefix: string;
}

/** One place in a user's SELECT that names a dataset as a table. */
export interface SqlTable {
  readonly dataset: string;
  /** Where the name stands in `sql`, in UTF-16 units. */
  readonly start: number;
  readonly end: number;
  /** Whether the text gives the table another name right there. */
  readonly hasAlias: boolean;
}

/** How a result becomes a Parquet file. */
export interface ParquetExport {
  /** Absolute; in a folder that the engine may write. */
  readonly file: string;
  readonly compression: "none" | "gzip" | "zstd";
  /** About how many bytes a row takes, for row groups that fit into memory; 0 if unknown. */
  readonly rowBytes: number;
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: EngineProgress) => void;
}

/** A Parquet file that was written. */
export interface ParquetFile {
  readonly rows: number;
  readonly bytes: number;
}

/**
 * Answers questions over versions. No method touches any file but the versions' segments, the spill folder, and the file that
 * `exportParquet` is told.
 */
export interface ReadEngine extends AsyncDisposable {
  /** Renders a plan for this engine. `resolve` gives the version of each scan. */
  render(plan: Plan, resolve: (dataset: string, version: number) => ReadableVersion): Statement;
  /**
   * Checks a user's SQL: exactly one SELECT whose syntax tree names only tables (CTEs aside) and functions of the
   * allow-list. Throws SQL_FORBIDDEN or SQL_INVALID with the place.
   */
  checkSql(sql: string, options: { signal: AbortSignal }): Promise<CheckedSql>;
  /** Makes a checked SELECT runnable: its tables become the given versions, one for each of its datasets. */
  renderSql(checked: CheckedSql, parameters: Statement["parameters"], versions: readonly ReadableVersion[]): Statement;
  /** The columns that a statement would give, without running it. */
  describe(statement: Statement, options: { signal: AbortSignal }): Promise<readonly Column[]>;
  /** Starts a statement; the promise settles when its columns are known. */
  query(statement: Statement, options: QueryOptions): Promise<QueryResult>;
  /**
   * Runs a statement into a Parquet file, without a loss: what Parquet can't hold becomes a wider type or text. What is there of it
   * after a failure is the caller's to remove. Throws QUERY_FAILED for integers of more than 38 digits.
   */
  exportParquet(statement: Statement, options: ParquetExport): Promise<ParquetFile>;
  /** Copies a version into memory as `table`, segment by segment; answers the bytes that it takes. */
  makeResident(table: string, version: ReadableVersion, options: { signal: AbortSignal }): Promise<number>;
  /** Frees a table made by makeResident. Waits for statements that read it. */
  dropResident(table: string): Promise<void>;
  /** Statements that run now; 0 means idle. */
  readonly active: number;
}

export interface WriteOptions {
  readonly signal: AbortSignal;
  /** A folder that will hold the segments. */
  readonly directory: string;
  /** What the segments' names begin with, so that several writers share the folder. */
  readonly prefix: string;
  readonly limits: SegmentLimits;
  readonly onProgress?: (progress: LoadProgress) => void;
}

/** How far a load is. */
export interface LoadProgress {
  readonly fraction: number | undefined;
  readonly rows: number;
  readonly bytes: number;
}

export interface LoadEngineOptions {
  /** What the engine may hold in memory for all loads together. */
  readonly memoryLimitBytes: number;
  readonly threads: number;
  /** Where it puts what does not fit into memory; made when it is needed. */
  readonly spillDirectory: string;
  readonly maxSpillBytes: number;
}

export interface PreviewOptions {
  readonly signal: AbortSignal;
  /** Only so many rows. */
  readonly rows: number;
  /** For a copy of the rows. */
  readonly directory: string;
}

/** What the beginning of a source looks like. */
export interface Preview {
  readonly columns: readonly Column[];
  /** As docs/types.md says. */
  readonly rows: readonly (readonly JsonValue[])[];
  /** Options that were found rather than given, by the names that connectors have for them. */
  readonly options: Readonly<Record<string, string | boolean>>;
  /** Whether these are all rows of the files. */
  readonly complete: boolean;
  readonly warnings: readonly string[];
}

/** Reads files and writes segments. */
export interface LoadEngine extends IncrementEngine, AsyncDisposable {
  /** Finds delimiter, header, columns and types from the first rows, unless the scan says them. */
  sniff(scan: FileScan, options: { signal: AbortSignal }): Promise<SniffResult>;
  /** The first rows with the types that a load finds in them; columns are found as by `sniff` where the scan does not say them. */
  preview(scan: FileScan, options: PreviewOptions): Promise<Preview>;
  /**
   * Reads a scan whose columns are known and writes segments. Throws LOAD_TYPE_CONTRADICTION (a `TypeContradiction`) when an
   * inferred column's type does not hold, so that the caller can widen it and start over.
   */
  writeSegments(scan: FileScan, options: WriteOptions): Promise<WrittenSegments>;
  /** From the next statement on: one that runs keeps the threads that it began with. */
  setThreads(threads: number): Promise<void>;
  readonly active: number;
}
