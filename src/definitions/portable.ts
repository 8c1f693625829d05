import { setImmediate } from "node:timers/promises";
import type { ConnectionRecord, DefinitionCatalog, DefinitionTables, SourceRecord } from "../catalog/definitions.ts";
import { nameKey } from "../datasets/names.ts";
import { DriverError } from "../errors/driver-error.ts";
import { canonicalJson } from "../operations/identity.ts";
import { type ConnectionParts, changedConnection, isSamePlace, newConnection } from "./connections.ts";
import { findSource, requireNew, toConnection, toStoredSource } from "./lookup.ts";
import type { Connection, ConnectionDraft, Secrets, SourceDraft, StoredSource } from "./model.ts";
import type { ResolverParts } from "./resolver.ts";
import { changedSource, newSource } from "./sources.ts";

/** Connections and sources as a document. */
export interface Portable {
  readonly connections: readonly PortableConnection[];
  readonly sources: readonly SourceDraft[];
}

/** A connection of a document. */
export interface PortableConnection extends ConnectionDraft {
  /** Whether a password has to be given where it is imported. */
  readonly hasPassword: boolean;
}

/** What happens to names that exist already. */
export type ConflictPolicy = "fail" | "skip" | "replace";

/** A secret that the driver does not have. */
export interface MissingSecret {
  readonly name: string;
  /** Empty for a password that is to be kept. */
  readonly secret: string;
}

/** What an import has done, by name. */
export interface Imported {
  readonly createdConnections: readonly string[];
  readonly replacedConnections: readonly string[];
  readonly createdSources: readonly string[];
  readonly replacedSources: readonly string[];
  readonly unchanged: readonly string[];
  readonly missingSecrets: readonly MissingSecret[];
}

export interface ImportOptions {
  readonly onConflict: ConflictPolicy;
  readonly validateOnly: boolean;
  readonly signal: AbortSignal;
}

/** All definitions, or the sources of these names with the connections that they use. Throws SOURCE_NOT_DEFINED. */
export async function exportDefinitions(
  catalog: DefinitionCatalog,
  names: readonly string[],
): Promise<{ readonly connections: readonly Connection[]; readonly sources: readonly StoredSource[] }> {
  return catalog.atomically(async (tables) => {
    const sources =
      names.length === 0
        ? await tables.sources.list()
        : await Promise.all([...new Set(names)].sort().map((name) => findSource(tables, name)));
    const used = new Set(sources.map(({ connection }) => connection));
    const connections = await tables.connections.list();
    const wanted = names.length === 0 ? connections : connections.filter(({ name }) => used.has(name));
    return { connections: wanted.map(toConnection), sources: sources.map(toStoredSource) };
  });
}

/** Takes all definitions of a document, or none. Throws CONNECTION_EXISTS, SOURCE_EXISTS, and what is wrong with one of them. */
export async function importDefinitions(
  parts: ConnectionParts & ResolverParts,
  catalog: DefinitionCatalog,
  { connections, sources }: Portable,
  options: ImportOptions,
): Promise<Imported> {
  requireDistinct("connection", connections);
  requireDistinct("source", sources);
  const importing = new Importing(parts, options);
  try {
    await catalog.atomically(async (tables) => {
      for (const connection of connections) await importing.connection(tables, connection).then(letOthersRun);
      for (const source of sources) await importing.source(tables, source).then(letOthersRun);
      // Written and taken back, so that sources are checked against the connections of the document.
      if (options.validateOnly) throw new OnlyValidated();
    });
  } catch (error) {
    if (!(error instanceof OnlyValidated)) throw error;
  }
  return { ...importing.done, missingSecrets: await missingOf(parts.passwords, importing.secrets, options) };
}

/** The catalog's statements are synchronous: thousands of them in a row would hold up everybody's calls. */
async function letOthersRun(): Promise<void> {
  await setImmediate();
}

class OnlyValidated extends Error {}

class Importing {
  readonly done = {
    createdConnections: [] as string[],
    replacedConnections: [] as string[],
    createdSources: [] as string[],
    replacedSources: [] as string[],
    unchanged: [] as string[],
  };
  /** What the imported definitions need, in their order. */
  readonly secrets: MissingSecret[] = [];
  readonly #parts: ConnectionParts & ResolverParts;
  readonly #policy: ConflictPolicy;

  constructor(parts: ConnectionParts & ResolverParts, { onConflict }: ImportOptions) {
    this.#parts = parts;
    this.#policy = onConflict;
  }

  async connection(tables: DefinitionTables, draft: PortableConnection): Promise<void> {
    const { name } = draft;
    const present = await tables.connections.find(nameKey(name));
    if (present === undefined) {
      const record = newConnection(this.#parts, draft, undefined);
      await tables.connections.put(record);
      this.done.createdConnections.push(name);
      return this.#needs(record, draft);
    }
    if (this.#policy === "skip" || isSameConnection(present, draft)) {
      this.done.unchanged.push(name);
      return;
    }
    if (this.#policy === "fail" || present.name !== name) await requireNew(tables, "connection", name);
    const record = replacedConnection(this.#parts, present, draft);
    await tables.connections.put(record);
    this.done.replacedConnections.push(name);
    this.#needs(record, draft);
  }

  async source(tables: DefinitionTables, draft: SourceDraft): Promise<void> {
    const { name } = draft;
    const present = await tables.sources.find(nameKey(name));
    if (present !== undefined && this.#policy === "skip") {
      this.done.unchanged.push(name);
      return;
    }
    const record = await newSource(this.#parts, tables, draft);
    if (present === undefined) {
      await tables.sources.put(record);
      this.done.createdSources.push(name);
    } else if (isSameSource(present, record)) this.done.unchanged.push(name);
    else {
      if (this.#policy === "fail" || present.name !== name) await requireNew(tables, "source", name);
      await tables.sources.put(await changedSource(this.#parts, tables, present, draft));
      this.done.replacedSources.push(name);
    }
    const { secret } = record.options;
    if (record.connection === undefined && typeof secret === "string") this.secrets.push({ name, secret });
  }

  #needs({ name, secret, sealed }: ConnectionRecord, { hasPassword }: PortableConnection): void {
    if (secret !== undefined) this.secrets.push({ name, secret });
    else if (hasPassword && sealed === undefined) this.secrets.push({ name, secret: "" });
  }
}

function replacedConnection(
  parts: ConnectionParts,
  present: ConnectionRecord,
  { uri, options, labels, secret = "", maxStatements = 0, kind, hasPassword }: PortableConnection,
): ConnectionRecord {
  const keeps = secret === "" && hasPassword && isSamePlace(present, { uri, options });
  return changedConnection(
    parts,
    { ...present, kind: kind ?? present.kind },
    { uri, options, labels, maxStatements, ...(!keeps && { secret }) },
  );
}

/** A password that is kept here and said to be kept there is the same as far as anybody can tell. */
function isSameConnection(present: ConnectionRecord, draft: PortableConnection): boolean {
  const { name, kind = present.kind, uri, options, labels, secret, maxStatements, hasPassword } = draft;
  const shown = toConnection(present);
  const one = [shown.name, shown.kind, shown.uri, shown.options, shown.labels, shown.secret, shown.maxStatements];
  const other = [name, kind, uri, options, labels, secret || undefined, maxStatements || undefined];
  return canonicalJson([...one, shown.hasPassword]) === canonicalJson([...other, hasPassword]);
}

function isSameSource(present: SourceRecord, record: SourceRecord): boolean {
  const contentOf = ({ name, kind, uri, options, connection, disabled, labels }: SourceRecord) =>
    canonicalJson([name, kind, uri, options, connection, disabled, labels]);
  return contentOf(present) === contentOf(record);
}

function requireDistinct(what: "connection" | "source", drafts: readonly { readonly name: string }[]): void {
  const seen = new Set<string>();
  for (const { name } of drafts) {
    if (seen.has(nameKey(name)))
      throw new DriverError(
        what === "connection" ? "CONNECTION_EXISTS" : "SOURCE_EXISTS",
        `the document has the ${what} ${JSON.stringify(name)} twice`,
        { metadata: { [what]: name } },
      );
    seen.add(nameKey(name));
  }
}

async function missingOf(
  secrets: Secrets,
  needed: readonly MissingSecret[],
  { signal }: ImportOptions,
): Promise<readonly MissingSecret[]> {
  const missing: MissingSecret[] = [];
  for (const need of needed) {
    const there =
      need.secret !== "" &&
      (await secrets.read(need.secret, { signal }).then(
        () => true,
        () => false,
      ));
    if (!there) missing.push(need);
  }
  return missing;
}
