import type { RowFilter } from "./row-filter.ts";

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

/** A source as a connector gets it: the kind is known, its options are checked, connection and secrets are in. */
export interface Source {
  readonly kind: string;
  /** A path, a glob, a URL; empty for a stored connection. */
  readonly uri: string;
  /** As they were given, text mostly: `parseOptions` makes values of them. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Only rows for which it is true. The engine sees to it, unless the connector does (`Connector.filters`). */
  readonly filter?: RowFilter;
  /** At most so many rows; which ones is not said. As with `filter`. */
  readonly limit?: number;
  /** For kinds that speak to a server. */
  readonly server?: Server;
}

/** A file that a source names. */
export interface SourceFile {
  /** Absolute, links resolved; of a copy where it was fetched or is kept elsewhere. */
  readonly path: string;
  /** What people call it, for messages. */
  readonly name: string;
  readonly bytes: number;
  /** Whether it is only the beginning of what people call so: in previews of files that were fetched or still arrive. */
  readonly partial: boolean;
}

/** What a session may use and whom it tells. */
export interface SourceContext {
  /** Aborted by cancel, deadline, a full disk, the driver's end. A worker that has not stopped 5 s later is killed. */
  readonly signal: AbortSignal;
  /**
   * Finds the files that the source names, for kinds that read files: a path, a glob, an upload, a file at an http(s) URL, which is
   * fetched first. Sorted by name, and only those that the driver may read. Throws SOURCE_NOT_FOUND, PATH_NOT_ALLOWED and their
   * like, which a connector lets pass. Whether they change until the last partition is read is looked after.
   */
  files(): Promise<readonly SourceFile[]>;
  /** For previews: so many bytes from the beginning of the files will do. */
  readonly beginningBytes?: number;
  /** A folder of this session's own for copies and spools; removed when it ends. */
  readonly workDirectory: string;
  /**
   * Waits for a place among the statements that the connection may run at once, and gives it back when disposed. `ending` is
   * what `Connector.endStatement` needs to stop the statement if this process dies.
   */
  statement(ending: StatementEnding): Promise<Disposable>;
  /**
   * Takes note of how far the reading is, from connectors that read a source before the engine does. May be called for every row: most
   * of what comes at once is left out.
   */
  onProgress?(progress: SourceProgress): void;
  onPhase?(phase: string): void;
}

/** How far a reading is. */
export interface SourceProgress {
  /** Between 0 and 1; undefined while it can't be told. */
  readonly fraction: number | undefined;
  readonly rows: number;
  readonly bytes: number;
}

/** How a statement is ended from outside; as the connector likes, without secrets. */
export type StatementEnding = Readonly<Record<string, string | number>>;
