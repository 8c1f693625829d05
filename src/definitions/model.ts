import type { LibrarySet } from "../library-sets/model.ts";
import type { Source, SourceKind, SourceSpec } from "../sources/connector.ts";

/** A source as a client named it, its kind found. It says what to do again when the dataset is refreshed; never a secret. */
export interface NamedSource extends Omit<SourceSpec, "format"> {
  readonly format: string;
}

/** How many statements a connection may run at once, in all workers together. */
export interface StatementLimit {
  /** The connection that they are counted for. */
  readonly connection: string;
  readonly limit: number;
}

/** A source whose names are looked up and whose options are checked. */
export interface ResolvedSource {
  readonly kind: SourceKind;
  readonly named: NamedSource;
  /** What the names mean now, without secrets; absent where `named` says it all. Loads with different meanings are different. */
  readonly meaning?: Readonly<Record<string, unknown>>;
  /** The library set whose workers read it; undefined: the built-in one. */
  readonly set?: LibrarySet | undefined;
  /** For kinds that speak to a server. */
  readonly statements?: StatementLimit;
  /** Waits for what is still on its way, while no worker does: the first bytes of an upload. */
  arrived?(options: { readonly signal: AbortSignal }): Promise<unknown>;
  /**
   * The source as a worker gets it, with the secret as it is at this moment: for the start of the work and no sooner.
   * Throws SECRET_UNAVAILABLE, SECRET_FORBIDDEN.
   */
  open(options: { readonly signal: AbortSignal }): Promise<Source>;
}

export interface ResolveOptions {
  /** What the source is called, or to be called. */
  readonly name?: string;
  /** A disabled source will do, too: it is only looked at. */
  readonly disabled?: boolean;
  /** Only the server counts: options of the source are left out, and may be wrong or missing. */
  readonly server?: boolean;
  /** The beginning of an upload will do, while the rest of it arrives. */
  readonly beginning?: boolean;
}

/** From what a client named to what a worker gets. */
export interface SourceResolver {
  /**
   * Speaks to no server. Throws UNKNOWN_FORMAT, UNKNOWN_OPTION, INVALID_OPTION, INVALID_SOURCE, INVALID_CONNECTION, SECRET_FORBIDDEN,
   * SOURCE_NOT_DEFINED, SOURCE_DISABLED, CONNECTION_NOT_DEFINED.
   */
  resolve(spec: SourceSpec, options?: ResolveOptions): Promise<ResolvedSource>;
}

/** A connection without its password, as clients see it. */
export interface Connection extends ConnectionDraft {
  readonly kind: string;
  /** Whether a password is kept for it. */
  readonly hasPassword: boolean;
  readonly createTime: Date;
  readonly updateTime: Date;
  /** Another one after each change. */
  readonly etag: string;
}

/** A connection that is to be kept. */
export interface ConnectionDraft {
  readonly name: string;
  /** Undefined leaves it to the URI's scheme. */
  readonly kind: string | undefined;
  readonly uri: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** A reference. */
  readonly secret: string | undefined;
  /** Undefined: the driver's usual limit. */
  readonly maxStatements: number | undefined;
  readonly labels: Readonly<Record<string, string>>;
}

/** What is to be changed of a connection. */
export interface ConnectionChange extends Partial<Pick<Connection, "uri" | "options" | "labels">> {
  /** A reference, or empty for no password at all. */
  readonly secret?: string;
  /** 0: the driver's usual limit. */
  readonly maxStatements?: number;
  /** To be kept. */
  readonly password?: string;
}

/** A source by name, as clients see it. */
export interface StoredSource extends SourceDraft {
  readonly source: NamedSource;
  readonly createTime: Date;
  readonly updateTime: Date;
  /** Another one after each change. */
  readonly etag: string;
}

/** A source that is to be kept. */
export interface SourceDraft {
  readonly name: string;
  readonly source: SourceSpec;
  readonly disabled: boolean;
  readonly labels: Readonly<Record<string, string>>;
}

/** What is to be changed of a source. */
export type SourceChange = Partial<Omit<SourceDraft, "name">>;

/** Where an update or a deletion begins: only in this state; empty for any. */
export interface Expected {
  readonly etag: string;
}

/** Passwords by reference. */
export interface Secrets {
  /** Throws SECRET_FORBIDDEN for a reference that no secret may have; does not look whether there is a secret. */
  check(reference: string): void;
  /** The secret as it is now. Throws SECRET_UNAVAILABLE, SECRET_FORBIDDEN, PATH_NOT_ALLOWED. */
  read(reference: string, options: { readonly signal: AbortSignal }): Promise<string>;
}

/** What a version's lineage says, to be resolved again: the kind of a stored source is what its definition says by then. */
export function specOfLineage({ format, uri, options, connection, filter, limit }: NamedSource): SourceSpec {
  return {
    ...{ uri, options, format: storedName(uri) === undefined ? format : undefined },
    ...(connection !== undefined && { connection }),
    ...(filter !== undefined && { filter }),
    ...(limit !== undefined && { limit }),
  };
}

const STORED = "source:";

/** The name in `source:NAME`; undefined for any other URI. */
export function storedName(uri: string): string | undefined {
  return uri.startsWith(STORED) ? uri.slice(STORED.length) : undefined;
}
