import type { LoadProgress } from "../engine/engine.ts";
import type { FileScan, ScanColumn } from "../engine/file-scan.ts";
import type { OptionSchema } from "./options.ts";
import type { ParserSettings } from "./parsers/settings.ts";
import type { RowFilter } from "./row-filter.ts";

/** What a client named: a kind, a place and options as it gave them. */
export interface SourceSpec {
  /** The connector kind; undefined leaves it to the place. */
  readonly format: string | undefined;
  /** A path, a glob, a URL. */
  readonly uri: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** The stored connection that `options` speak to; `uri` is then empty. */
  readonly connection?: string;
  /** Only rows for which it is true. Connectors of servers see to it and to `limit`; for all others the engine does. */
  readonly filter?: RowFilter;
  /** At most so many rows; which ones is not said. */
  readonly limit?: number;
}

/** A server to log in to. */
export interface Server {
  /** Names the connection to people and to the limit of its statements. */
  readonly name: string;
  /** Without secrets. */
  readonly uri: string;
  /** As the kind's `connectionOptions` say. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly password?: string;
}

/** A source as a worker gets it: the kind is known, connection and secrets are in. */
export interface Source extends Omit<SourceSpec, "format" | "connection"> {
  readonly kind: string;
  /** Folders that a path must lie under, in place of the context's: for files of the driver's own. */
  readonly roots?: readonly string[];
  /** What people call the file, in place of a path that they have not named. */
  readonly shownAs?: string;
  /** Whether the file is still being written, so that there is no more of it than its beginning. */
  readonly arriving?: boolean;
  /** For kinds that speak to a server. */
  readonly server?: Server;
  /** For files at http(s) URLs: the Authorization header, or the token in it. */
  readonly authorization?: string;
}

/** What the driver knows of a kind of source without loading any of its code. */
export interface SourceKind {
  readonly kind: string;
  /** One sentence for docs/sources.md. */
  readonly summary: string;
  /** Endings that choose this kind, without compression: `csv`. */
  readonly extensions: readonly string[];
  /** Schemes of URLs that choose this kind: `jdbc:postgresql`. */
  readonly schemes?: readonly string[];
  readonly options: OptionSchema;
  /** Whether its files can't be read from their beginning alone. */
  readonly wholeFiles?: boolean;
  /** For kinds that speak to a server: what a connection can be told. */
  readonly connectionOptions?: OptionSchema;
  /** Throws UNKNOWN_OPTION or INVALID_OPTION without looking at any file or server. */
  check(options: SourceSpec["options"]): void;
  /**
   * Throws INVALID_CONNECTION, UNKNOWN_URL_PARAMETER, INVALID_URL_PARAMETER, UNKNOWN_OPTION or INVALID_OPTION
   * without speaking to the server.
   */
  checkConnection?(server: Pick<Server, "uri" | "options">): void;
}

/** What a session may use and whom it tells. */
export interface SourceContext {
  readonly signal: AbortSignal;
  /** Folders that paths must lie under, made real; undefined allows any. */
  readonly fileRoots: readonly string[] | undefined;
  /** Files and folders that no source may name, wherever the roots are: the driver's own. Default: none. */
  readonly reserved?: readonly string[];
  /** Left out, nothing is fetched. */
  readonly http?: HttpAccess;
  /** For previews: so many bytes from the beginning of the files will do. */
  readonly beginningBytes?: number;
  /** A folder of this session's own for copies and spools; removed when it ends. */
  readonly workDirectory: string;
  /**
   * Waits for a place among the statements that the connection may run at once, and gives it back when disposed. `ending` is
   * what `Connector.endStatement` needs to stop the statement if this process dies.
   */
  statement(ending: StatementEnding): Promise<Disposable>;
  /** What value parsers in JavaScript may be; none without it. */
  readonly parsers?: ParserSettings;
  /** Takes note of how far the reading is, from connectors that read a source before the engine does. */
  onProgress?(progress: LoadProgress): void;
  onPhase?(phase: string): void;
}

/** What may be fetched. */
export interface HttpAccess {
  /** Rules for URLs (see `requireAllowedUrl`); undefined allows any. */
  readonly allowed: readonly string[] | undefined;
  /** Of one file. */
  readonly maxBytes: number;
}

/** How a statement is ended from outside; as the connector likes, without secrets. */
export type StatementEnding = Readonly<Record<string, string | number>>;

/**
 * Code that reads one kind of source. It runs in worker processes only. Whatever takes time stops when the signal of its
 * options is aborted, and holds no more than a bounded part of the source in memory.
 */
export interface Connector {
  readonly kind: string;
  /** Opens what the other calls need: a connection, a transaction. Throws CONNECTION_FAILED, SOURCE_NOT_FOUND, and their like. */
  open(source: Source, context: SourceContext): Promise<SourceSession>;
  /** Stops a statement whose worker has died. For kinds that speak to a server. */
  endStatement?(source: Source, ending: StatementEnding, options: { readonly signal: AbortSignal }): Promise<void>;
}

/** One worker's way into a source. */
export interface SourceSession extends AsyncDisposable {
  /** What is at the other end, in words: `PostgreSQL 15.18`. Throws where it can't be reached. */
  test(): Promise<SourceTest>;
  /** Tables and views that the login can read; for kinds that speak to a server. */
  listTables?(): AsyncIterable<SourceTable>;
  /** Finds columns and cuts the source into partitions. Called in one session of a load. */
  plan(options: PlanOptions): Promise<SourcePlan>;
  /** Takes part in a load that another session has planned: sees the snapshot that `shared` names. */
  join?(shared: SharedSnapshot): Promise<void>;
  /** Told in the session that has planned, once all others have joined. */
  joined?(): Promise<void>;
  /** Reads one partition. */
  read(partition: Partition): Promise<PartitionContent>;
  /** Throws SOURCE_CHANGED where what was read is no longer what was planned; called after the last partition. */
  requireUnchanged?(): Promise<void>;
}

export interface SourceTest {
  readonly description: string;
  readonly warnings?: readonly string[];
}

export interface SourceTable {
  readonly schema: string;
  readonly name: string;
  readonly type: "table" | "view";
  /** The server's estimate; undefined where it has none. */
  readonly rows?: number;
  readonly comment?: string;
}

export interface PlanOptions {
  /** More partitions than this are of no use. */
  readonly maxPartitions: number;
  /** The load is a preview: its first rows will do, and statistics are not worth their time. */
  readonly preview: boolean;
}

/** A part of a source that one session reads at once; plain data that only its connector understands. */
export type Partition = Readonly<Record<string, unknown>>;

/** How other sessions see the same snapshot; plain data. */
export type SharedSnapshot = Readonly<Record<string, unknown>>;

export interface SourcePlan {
  /** The columns with their types; undefined where the engine finds them in the files. */
  readonly columns: readonly ScanColumn[] | undefined;
  readonly partitions: readonly Partition[];
  /** Where several sessions can read one snapshot. Undefined: partitions are read in this session only. */
  readonly shared?: SharedSnapshot;
  /** For progress; 0 while unknown. */
  readonly totalBytes: number;
  /** For progress; undefined while unknown. */
  readonly estimatedRows?: number;
  /** For previews: the likely record paths, the likeliest first, where a source has such. */
  readonly recordPaths?: readonly string[];
  readonly warnings: readonly string[];
}

/** What a partition holds, as the engine takes it. */
export type PartitionContent =
  /** Files for the engine's own readers. */
  | { readonly form: "files"; readonly scan: FileScan }
  /**
   * CSV in the exchange dialect (`exchangeCsv`): commas, quotes doubled, no header, NULL an empty field without quotes, one
   * field for each of the plan's columns.
   */
  | { readonly form: "text"; readonly chunks: AsyncIterable<Uint8Array> }
  /** Values, for connectors that get rows. */
  | { readonly form: "batches"; readonly batches: AsyncIterable<ColumnBatch> };

/** Some rows, column by column, in the order of the plan's columns. */
export interface ColumnBatch {
  readonly rows: number;
  readonly columns: readonly (readonly SourceValue[])[];
}

/** A value on its way into the exchange dialect: text is written as it is, for the engine to cast; bytes as \x escapes. */
export type SourceValue = null | string | number | bigint | boolean | Uint8Array;
