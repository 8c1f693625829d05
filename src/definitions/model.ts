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
  /** For kinds that speak to a server. */
  readonly statements?: StatementLimit;
  /**
   * The source as a worker gets it, with the secret as it is at this moment: for the start of the work and no sooner.
   * Throws SECRET_UNAVAILABLE, SECRET_FORBIDDEN.
   */
  open(options: { readonly signal: AbortSignal }): Promise<Source>;
}

/** From what a client named to what a worker gets. */
export interface SourceResolver {
  /** Throws UNKNOWN_FORMAT, UNKNOWN_OPTION, INVALID_OPTION, INVALID_SOURCE, INVALID_CONNECTION. Speaks to no server. */
  resolve(spec: SourceSpec): Promise<ResolvedSource>;
}

/** Passwords by reference. */
export interface Secrets {
  /** Throws SECRET_FORBIDDEN for a reference that no secret may have; does not look whether there is a secret. */
  check(reference: string): void;
  /** The secret as it is now. Throws SECRET_UNAVAILABLE, SECRET_FORBIDDEN, PATH_NOT_ALLOWED. */
  read(reference: string, options: { readonly signal: AbortSignal }): Promise<string>;
}

/** What a version's lineage says, to be resolved again: the kind of a stored source is what its definition says by then. */
export function specOfLineage({ format, ...named }: NamedSource): SourceSpec {
  return { ...named, format: storedName(named.uri) === undefined ? format : undefined };
}

const STORED = "source:";

/** The name in `source:NAME`; undefined for any other URI. */
export function storedName(uri: string): string | undefined {
  return uri.startsWith(STORED) ? uri.slice(STORED.length) : undefined;
}
