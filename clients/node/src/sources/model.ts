import type { Labels, Source } from "../model.ts";
import type { JsonObject } from "../values.ts";

/** A connection to be kept. */
export interface ConnectionDraft {
  readonly name: string;
  /** For example `postgres`. Default: taken from the URI's scheme. */
  readonly kind?: string | undefined;
  /** The server's URL, without a password. */
  readonly uri: string;
  readonly options?: JsonObject | undefined;
  /** Where the password is: `env:DROVER_SECRET_…` or `file:/…`, as the driver sees it. */
  readonly secret?: string | undefined;
  /** How many statements may run on it at once. Default: the driver's `limits.statements`. */
  readonly maxStatements?: number | undefined;
  readonly labels?: Labels | undefined;
}

/** A server's address with what it takes to log in there, but for the password. */
export interface Connection extends ConnectionDraft {
  readonly kind: string;
  readonly options: JsonObject;
  readonly labels: Labels;
  /** Whether the driver keeps a password for it. */
  readonly hasPassword: boolean;
  /** The library set that the driver reads it with; undefined for what the driver brings along. */
  readonly librarySet: string | undefined;
  readonly createTime: Date | undefined;
  readonly updateTime: Date | undefined;
  /** Another text after each change. */
  readonly etag: string;
}

/** What is to be changed of a connection; what is left out stays. */
export interface ConnectionChange extends Partial<Pick<ConnectionDraft, "uri" | "options" | "labels">> {
  /** A reference; it takes the place of a password that the driver keeps. Empty for neither. */
  readonly secret?: string | undefined;
  /** 0: the driver's usual limit. */
  readonly maxStatements?: number | undefined;
  /** To be kept by the driver, sealed; needed again where `uri` or `options` change. */
  readonly password?: string | undefined;
}

/** A source to be kept. */
export interface SourceDraft {
  readonly name: string;
  readonly source: Source;
  /** Loads of it are refused. Default: false. */
  readonly disabled?: boolean | undefined;
  readonly labels?: Labels | undefined;
}

/** A source by name. It is loaded as `source:NAME`. */
export interface StoredSource extends SourceDraft {
  readonly disabled: boolean;
  /** The library set that the driver reads it with; undefined for what the driver brings along. */
  readonly librarySet: string | undefined;
  readonly labels: Labels;
  readonly createTime: Date | undefined;
  readonly updateTime: Date | undefined;
  /** Another text after each change. */
  readonly etag: string;
}

/** What is to be changed of a source; what is left out stays. */
export type SourceChange = Partial<Omit<SourceDraft, "name">>;

/** What a test found at the other end. */
export interface SourceTest {
  /** In words: `PostgreSQL 15.18`. */
  readonly description: string;
  readonly warnings: readonly string[];
}

/** A table or view of a server. */
export interface SourceTable {
  readonly schema: string;
  readonly name: string;
  readonly type: "table" | "view";
  /** The server's estimate; undefined where it has none. */
  readonly rows: number | undefined;
  readonly comment: string;
}

/** What an option takes. An unknown one from a newer driver is `string`. */
export type OptionType = "string" | "boolean" | "integer" | "stringList" | "stringMap";

/** One option, with what a form or a help text needs. */
export interface OptionDescription {
  readonly name: string;
  readonly type: OptionType;
  readonly doc: string;
  /** In words. */
  readonly default: string;
  /** The values that it can have; empty for any. */
  readonly choices: readonly string[];
  readonly example: string;
}

/** A kind of source. */
export interface SourceKind {
  readonly kind: string;
  readonly summary: string;
  readonly extensions: readonly string[];
  readonly schemes: readonly string[];
  readonly options: readonly OptionDescription[];
  /** Empty for kinds without a server. */
  readonly connectionOptions: readonly OptionDescription[];
}

/** A secret that the driver does not have. */
export interface MissingSecret {
  /** The connection's or source's name. */
  readonly name: string;
  /** Its reference; empty for a password that has to be given to the connection. */
  readonly secret: string;
}

/** What an import has done, by name. */
export interface ImportResult {
  readonly createdConnections: readonly string[];
  readonly replacedConnections: readonly string[];
  readonly createdSources: readonly string[];
  readonly replacedSources: readonly string[];
  readonly unchanged: readonly string[];
  readonly missingSecrets: readonly MissingSecret[];
}
