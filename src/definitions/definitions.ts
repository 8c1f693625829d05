import type { DefinitionCatalog } from "../catalog/definitions.ts";
import { DriverError } from "../errors/driver-error.ts";
import type { ServedKinds, SourceNames } from "../library-sets/served-kinds.ts";
import type { SourceKind } from "../sources/connector.ts";
import type { Uploads } from "../uploads/model.ts";
import { type Connections, createConnections, draftServer } from "./connections.ts";
import type {
  Connection,
  ConnectionDraft,
  NamedSource,
  ResolvedSource,
  Secrets,
  SourceResolver,
  StoredSource,
} from "./model.ts";
import { exportDefinitions, type Imported, type ImportOptions, importDefinitions, type Portable } from "./portable.ts";
import { createSourceResolver } from "./resolver.ts";
import { createPasswords } from "./secrets/passwords.ts";
import type { Vault } from "./secrets/vault.ts";
import { createStoredSources, type StoredSources } from "./sources.ts";

type Read = Pick<NamedSource, "format" | "connection">;

/** Connections and sources, and what they mean. */
export interface Definitions extends SourceResolver {
  readonly kinds: readonly SourceKind[];
  readonly connections: Connections;
  readonly sources: StoredSources;
  /**
   * A connection as it is given, for a test: one that is not kept, or the kept one of that name with changes. Without a password
   * the one that is kept for it counts. Throws what `connections.create` and `connections.update` throw.
   */
  resolveConnection(draft: ConnectionDraft, password: string | undefined): Promise<ResolvedSource>;
  /** All definitions, or the sources of these names with the connections that they use. Throws SOURCE_NOT_DEFINED. */
  export(
    names: readonly string[],
  ): Promise<{ readonly connections: readonly Connection[]; readonly sources: readonly StoredSource[] }>;
  /** The name of the library set that reads a source, stored or not; undefined for what the driver brings along. */
  librarySetOf(source: Read, names?: Pick<SourceNames, "source">): string | undefined;
  /** The same as if these kinds were served, whatever the configuration says. */
  servedBy(kinds: ServedKinds): SourceResolver;
  /** Takes all of a document, or nothing. Throws CONNECTION_EXISTS, SOURCE_EXISTS, and what is wrong with one of them. */
  import(document: Portable, options: ImportOptions): Promise<Imported>;
}

export interface DefinitionParts {
  readonly catalog: DefinitionCatalog;
  readonly kinds: ServedKinds;
  readonly secrets: Secrets;
  readonly vault: Vault;
  /** For servers whose connection has no limit of its own. */
  readonly statementLimit: number;
  readonly uploads: Pick<Uploads, "use" | "useBeginning">;
}

export function createDefinitions(options: DefinitionParts): Definitions {
  const { catalog, kinds, secrets, vault, statementLimit, uploads } = options;
  const parts = { kinds, passwords: createPasswords(secrets, vault), statementLimit, uploads };
  const { resolve } = createSourceResolver(parts, catalog);
  return {
    ...{ kinds: kinds.all, resolve },
    connections: createConnections(parts, catalog),
    sources: createStoredSources(parts, catalog),
    resolveConnection: (draft, password) => draftServer(parts, catalog, draft, password),
    librarySetOf: (source, names = {}) => librarySetOf(source, names, kinds),
    servedBy: (others) => createSourceResolver({ ...parts, kinds: others }, catalog),
    export: (names) => exportDefinitions(catalog, names),
    import: (document, options) => importDefinitions(parts, catalog, document, options),
  };
}

function librarySetOf({ format, connection }: Read, { source }: SourceNames, kinds: ServedKinds): string | undefined {
  try {
    return kinds.serve(format, { source, connection }).set?.name;
  } catch (error) {
    // It was kept when the configuration was another one.
    if (error instanceof DriverError && error.reason === "UNKNOWN_FORMAT") return undefined;
    throw error;
  }
}
