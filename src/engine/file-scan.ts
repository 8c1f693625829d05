import type { CsvLayout, JsonLayout, SourceColumn } from "@drover/connector";
import type { Expr } from "./plan.ts";
import type { Column } from "./types.ts";

/** A neutral description of files to read. Connectors make it; the loading engine carries it out. */
export interface FileScan {
  readonly kind: "csv" | "json" | "parquet";
  /** Absolute paths in reading order, already expanded and allowed; none for no rows. Compression is told by the ending (.gz, .zst). */
  readonly paths: readonly string[];
  /** Sum of the files' sizes, for progress. */
  readonly totalBytes: number;
  readonly csv?: CsvScanOptions;
  readonly json?: JsonScanOptions;
  /** The columns with their types; mostly left out before `sniff`, which otherwise takes them as they are. */
  readonly columns?: readonly ScanColumn[];
  /** Types that the client declared, by the column's name; `sniff` takes them over into `columns`. */
  readonly declaredTypes?: Readonly<Record<string, string>>;
  /** SQL expressions that make values of raw texts, by the column's name; `sniff` takes them over into `columns`. */
  readonly parsers?: Readonly<Record<string, string>>;
  /** Columns whose values the connector has made and knows, by name; `sniff` takes them over into `columns`. */
  readonly found?: Readonly<Record<string, FoundColumn>>;
  /** Rows that the connector has left out already. They count among the bad ones. */
  readonly rejected?: { readonly rows: number; readonly samples: readonly RejectedRow[] };
  /** Keep only these, in this order; all when left out. */
  readonly keep?: readonly string[];
  /** Only rows for which it is true. Its columns go by their names in the dataset, and need not be kept. */
  readonly filter?: Expr;
  /** At most so many rows; which ones is not said. */
  readonly limit?: number;
  /** About how many bytes of the (uncompressed) source a row takes; found by `sniff`, for progress and row groups. */
  readonly rowBytes?: number;
  readonly badRows: BadRows;
  /** Whether the files are only the beginnings of others, so that the last record may be cut off. */
  readonly cut?: boolean;
  /** Options that the connector has found, where the client had left them open. */
  readonly foundOptions?: Readonly<Record<string, string | boolean>>;
  /** The files that the client named, in the state in which they were found. `paths` may be transcoded copies of them. */
  readonly origins: readonly FileOrigin[];
  /** Finds records of `paths` where the client can see them; left out where those are the client's files or line for line like them. */
  readonly locate?: LocateRecords;
  /** What was already done of the load when these files were written: progress goes on from there. */
  readonly before?: { readonly fraction: number; readonly rows: number; readonly bytes: number };
  /** What the connector has found on the way; `sniff` takes it over. */
  readonly warnings?: readonly string[];
}

/** Finds records of one of the paths, by their numbers from 1, in the client's files. */
export type LocateRecords = (
  path: string,
  ordinals: readonly number[],
  options: { readonly signal: AbortSignal },
) => Promise<ReadonlyMap<number, LocatedRecord>>;

export interface LocatedRecord {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** The record's text, cut at 1,000 characters. */
  readonly text: string;
}

/** A file of the client's, as it was before the load: whether it changed meanwhile is told by these. */
export interface FileOrigin {
  readonly path: string;
  /** What people call it, where they have not named this path. */
  readonly shownAs?: string;
  /** Whether it is only the beginning of what they call so. */
  readonly partial?: boolean;
  readonly bytes: number;
  readonly modifiedNs: bigint;
  readonly inode: bigint;
}

/** A column of a scan. */
export interface ScanColumn extends SourceColumn {
  readonly sourceName: string;
  readonly origin: NonNullable<SourceColumn["origin"]>;
  /** What makes the value of the text, where a cast is not enough. Such a column is `declared`. */
  readonly parser?: SqlParser;
}

/** What a connector knows of a column whose texts it has made. */
export type FoundColumn = Pick<ScanColumn, "type" | "origin" | "encoding">;

/** A client's SQL expression over the raw text, which it calls `value`. Nobody has checked it. */
export interface SqlParser {
  readonly sql: string;
  /** Whether its result is cast to the column's type; else the type is what it makes. */
  readonly declared: boolean;
}

export interface CsvScanOptions extends CsvLayout {
  /** Whether quotes around a text that means NULL make no difference. Default true; false in the exchange dialect. */
  readonly quotedNulls?: boolean;
  /** How lines end; found by `sniff`. */
  readonly newline?: "\n" | "\r\n" | "\r";
  /** For files that the driver has written itself: how many of the columns each has. The others are NULL there. */
  readonly widths?: readonly number[];
  /** With columns that are known: some values of each, for formats of dates and times. */
  readonly samples?: readonly (readonly string[])[];
}

export interface JsonScanOptions extends JsonLayout {
  /**
   * The files as they were before numbers that a double can't hold were put in quotes, where that had to be done. The
   * structure of both tells which columns hold such numbers.
   */
  readonly plainPaths?: readonly string[];
}

/** What happens to rows that can't be read. */
export type BadRows = { readonly policy: "fail" } | { readonly policy: "skip"; readonly maxBadRows: number };

export interface SniffResult {
  /** Everything that was found or given: enough for `writeSegments` to read without looking again. */
  readonly scan: FileScan & { readonly columns: readonly ScanColumn[] };
  readonly warnings: readonly string[];
}

/** How segments are cut. */
export interface SegmentLimits {
  readonly maxRows: number;
  readonly maxBytes: number;
  /** Bound of one row group in memory. */
  readonly maxRowGroupBytes: number;
}

/** One Parquet file of a version. */
export interface SegmentInfo {
  /** The file's name in its folder. */
  readonly file: string;
  readonly rows: number;
  readonly bytes: number;
}

export interface RejectedRow {
  readonly file: string;
  /** From 1; 0 if unknown. */
  readonly line: number;
  readonly column: string;
  readonly reason: string;
  readonly text: string;
}

export interface WrittenSegments {
  readonly columns: readonly Column[];
  readonly segments: readonly SegmentInfo[];
  readonly rows: number;
  readonly bytes: number;
  readonly sourceBytes: number;
  readonly rejectedRows: number;
  readonly rejectedSamples: readonly RejectedRow[];
}
