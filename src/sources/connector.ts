import type * as api from "@drover/connector";
import type { FileOrigin, FileScan, ScanColumn } from "../engine/file-scan.ts";
import type { ErrorJson } from "../errors/error-json.ts";
import type { TlsSettings } from "./database/connection-options.ts";
import type { ParserSettings } from "./parsers/settings.ts";

// The interface is that of packages/connector, which connectors of packages are written against, too. What is added here only the
// built-in kinds can have: the engine's whole description of files, and what a worker knows besides.

export type {
  ColumnBatch,
  KindDescriptor,
  Partition,
  PlanOptions,
  Server,
  SharedSnapshot,
  SourceTable,
  SourceTest,
  SourceValue,
  StatementEnding,
} from "@drover/connector";

/** What a client named: a kind, a place and options as it gave them. */
export interface SourceSpec extends Omit<api.Source, "kind" | "server"> {
  /** The connector kind; undefined leaves it to the place. */
  readonly format: string | undefined;
  /** The stored connection that `options` speak to; `uri` is then empty. */
  readonly connection?: string;
}

/** A source as a worker gets it: the kind is known, connection and secrets are in. */
export interface Source extends api.Source {
  /** Folders that a path must lie under, in place of the context's: for files of the driver's own. */
  readonly roots?: readonly string[];
  /** What people call the file, in place of a path that they have not named. */
  readonly shownAs?: string;
  /** Whether the file is still being written, so that there is no more of it than its beginning. */
  readonly arriving?: boolean;
  /** For files at http(s) URLs: the Authorization header, or the token in it. */
  readonly authorization?: string;
  /** For a process that may open no files but these. */
  readonly handed?: HandedFiles;
}

/** What a source names of this machine's files, as the driver has found and allowed it. */
export interface HandedFiles {
  /** What `uri` names; undefined where it names no file. */
  readonly found?: { readonly files: readonly FileOrigin[] } | { readonly error: ErrorJson };
  /** Where the files of the connection's options are, by the paths that they name. */
  readonly paths: Readonly<Record<string, string>>;
}

/** What the driver knows of a kind of source without loading any of its code. */
export interface SourceKind extends api.KindDescriptor {
  /** Throws UNKNOWN_OPTION or INVALID_OPTION without looking at any file or server. */
  check(options: SourceSpec["options"]): void;
  /**
   * Throws INVALID_CONNECTION, UNKNOWN_URL_PARAMETER, INVALID_URL_PARAMETER, UNKNOWN_OPTION or INVALID_OPTION
   * without speaking to the server.
   */
  checkConnection?(server: Pick<api.Server, "uri" | "options">): void;
  /** What a connection asks of TLS, with the files that it names. Throws what `checkConnection` throws. */
  tls?(server: Pick<api.Server, "uri" | "options">): TlsSettings;
}

/** What a session may use and whom it tells. */
export interface SourceContext extends Omit<api.SourceContext, "files"> {
  /** Folders that paths must lie under, made real; undefined allows any. */
  readonly fileRoots: readonly string[] | undefined;
  /** Files and folders that no source may name, wherever the roots are: the driver's own. Default: none. */
  readonly reserved?: readonly string[];
  /** Left out, nothing is fetched. */
  readonly http?: HttpAccess;
  /** What value parsers in JavaScript may be; none without it. */
  readonly parsers?: ParserSettings;
}

/** What may be fetched. */
export interface HttpAccess {
  /** Rules for URLs (see `requireAllowedUrl`); undefined allows any. */
  readonly allowed: readonly string[] | undefined;
  /** Of one file. */
  readonly maxBytes: number;
}

export interface Connector extends Pick<api.Connector, "kind" | "filters" | "endStatement"> {
  open(source: Source, context: SourceContext): Promise<SourceSession>;
}

export interface SourceSession extends Omit<api.SourceSession, "plan" | "read"> {
  plan(options: api.PlanOptions): Promise<SourcePlan>;
  read(partition: api.Partition): Promise<PartitionContent>;
}

export interface SourcePlan extends Omit<api.SourcePlan, "columns"> {
  readonly columns: readonly ScanColumn[] | undefined;
  readonly totalBytes: number;
  readonly warnings: readonly string[];
  /** For previews: the likely record paths, the likeliest first, where a source has such. */
  readonly recordPaths?: readonly string[];
}

export type PartitionContent =
  | { readonly form: "files"; readonly scan: FileScan }
  | Exclude<api.PartitionContent, { readonly form: "files" }>;
