import { randomUUID } from "node:crypto";
import type { DefinitionCatalog, DefinitionTables, SourceRecord } from "../catalog/definitions.ts";
import { nameKey } from "../datasets/names.ts";
import { DriverError } from "../errors/driver-error.ts";
import type { SourceSpec } from "../sources/connector.ts";
import { findSource, requireNew, requireUnchanged, toStoredSource } from "./lookup.ts";
import { type Expected, type SourceChange, type SourceDraft, type StoredSource, storedName } from "./model.ts";
import { createSourceResolver, type ResolverParts } from "./resolver.ts";

/** Sources by name. What one driver process changes counts in all of them at once. */
export interface StoredSources {
  /** Throws SOURCE_EXISTS and what `SourceResolver.resolve` throws. */
  create(draft: SourceDraft): Promise<StoredSource>;
  /** Throws SOURCE_NOT_DEFINED. */
  get(name: string): Promise<StoredSource>;
  /** By name. */
  list(): Promise<readonly StoredSource[]>;
  /** Throws SOURCE_NOT_DEFINED, DEFINITION_CHANGED, and what `create` throws. */
  update(name: string, change: SourceChange, expected: Expected): Promise<StoredSource>;
  /** Throws SOURCE_NOT_DEFINED, DEFINITION_CHANGED. */
  delete(name: string, expected: Expected): Promise<void>;
}

export function createStoredSources(parts: ResolverParts, catalog: DefinitionCatalog): StoredSources {
  return {
    create: (draft) =>
      catalog.atomically(async (tables) => {
        await requireNew(tables, "source", draft.name);
        const record = await newSource(parts, tables, draft);
        await tables.sources.put(record);
        return toStoredSource(record);
      }),
    get: async (name) => toStoredSource(await findSource(catalog, name)),
    list: async () => (await catalog.sources.list()).map(toStoredSource),
    update: (name, change, expected) =>
      catalog.atomically(async (tables) => {
        const present = await findSource(tables, name);
        requireUnchanged(present, expected);
        const record = await changedSource(parts, tables, present, change);
        await tables.sources.put(record);
        return toStoredSource(record);
      }),
    delete: (name, expected) =>
      catalog.atomically(async (tables) => {
        const present = await findSource(tables, name);
        requireUnchanged(present, expected);
        await tables.sources.remove(present.uid);
      }),
  };
}

/** A record for a source that is to be kept, checked. */
export async function newSource(
  parts: ResolverParts,
  tables: DefinitionTables,
  { name, source, disabled, labels }: SourceDraft,
): Promise<SourceRecord> {
  const now = new Date();
  return {
    ...{ name, disabled, labels },
    ...(await placeOf(parts, tables, name, source)),
    uid: randomUUID(),
    nameKey: nameKey(name),
    createTime: now,
    updateTime: now,
    revision: 1,
  };
}

/** The record with a change in it, checked. */
export async function changedSource(
  parts: ResolverParts,
  tables: DefinitionTables,
  present: SourceRecord,
  { source, ...change }: SourceChange,
): Promise<SourceRecord> {
  const place = source && (await placeOf(parts, tables, present.name, source));
  return { ...present, ...change, ...place, updateTime: new Date(), revision: present.revision + 1 };
}

async function placeOf(
  parts: ResolverParts,
  tables: DefinitionTables,
  name: string,
  spec: SourceSpec,
): Promise<Pick<SourceRecord, "kind" | "uri" | "options" | "connection">> {
  if (storedName(spec.uri) !== undefined)
    throw new DriverError("INVALID_SOURCE", "a stored source can't stand for another one", {
      metadata: { uri: spec.uri },
    });
  const { named } = await createSourceResolver(parts, tables).resolve(spec, { name });
  return { kind: named.format, uri: named.uri, options: named.options, connection: named.connection };
}
