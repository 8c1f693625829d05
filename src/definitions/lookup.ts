import type {
  ConnectionRecord,
  DefinitionRecord,
  DefinitionTable,
  DefinitionTables,
  SourceRecord,
} from "../catalog/definitions.ts";
import type { UploadRecord } from "../catalog/uploads.ts";
import { suggest } from "../config/suggest.ts";
import { nameKey } from "../datasets/names.ts";
import { DriverError } from "../errors/driver-error.ts";
import type { Connection, Expected, StoredSource } from "./model.ts";

/** The connection of this name. Throws CONNECTION_NOT_DEFINED. */
export function findConnection({ connections }: DefinitionTables, name: string): Promise<ConnectionRecord> {
  return find(connections, name, (hint) => notDefined("CONNECTION_NOT_DEFINED", "connection", name, hint));
}

/** The stored source of this name. Throws SOURCE_NOT_DEFINED. */
export function findSource({ sources }: DefinitionTables, name: string): Promise<SourceRecord> {
  return find(sources, name, (hint) => notDefined("SOURCE_NOT_DEFINED", "source", name, hint));
}

/** A file that a client has sent. Throws UPLOAD_NOT_FOUND. */
export async function findUpload(tables: DefinitionTables, id: string): Promise<UploadRecord> {
  const found = await tables.findUpload(id);
  if (found) return found;
  throw new DriverError("UPLOAD_NOT_FOUND", `there is no upload ${JSON.stringify(id)}`, { metadata: { upload: id } });
}

async function find<R extends DefinitionRecord>(
  table: DefinitionTable<R>,
  name: string,
  missing: (hint: string) => DriverError,
): Promise<R> {
  const record = await table.find(nameKey(name));
  if (record?.name === name) return record;
  const known = (await table.list()).map((each) => each.name);
  throw missing(suggest(name, known));
}

function notDefined(
  reason: "CONNECTION_NOT_DEFINED" | "SOURCE_NOT_DEFINED",
  what: "connection" | "source",
  name: string,
  hint: string,
): DriverError {
  return new DriverError(reason, `there is no ${what} ${JSON.stringify(name)}${hint}`, { metadata: { [what]: name } });
}

/** Throws CONNECTION_EXISTS or SOURCE_EXISTS where a name is taken. */
export async function requireNew(tables: DefinitionTables, what: "connection" | "source", name: string): Promise<void> {
  const table: DefinitionTable<DefinitionRecord> = what === "connection" ? tables.connections : tables.sources;
  const present = await table.find(nameKey(name));
  if (present === undefined) return;
  throw new DriverError(
    what === "connection" ? "CONNECTION_EXISTS" : "SOURCE_EXISTS",
    `there is a ${what} ${JSON.stringify(present.name)}`,
    { metadata: { [what]: present.name } },
  );
}

/** Throws DEFINITION_CHANGED where a record is no longer the one that a client has read. */
export function requireUnchanged(record: DefinitionRecord, { etag }: Expected): void {
  if (etag === "" || etag === etagOf(record)) return;
  throw new DriverError("DEFINITION_CHANGED", `${JSON.stringify(record.name)} was changed meanwhile`, {
    metadata: { name: record.name, etag: etagOf(record) },
  });
}

function etagOf({ uid, revision }: DefinitionRecord): string {
  return `${uid}.${revision}`;
}

/** A connection as clients may see it. */
export function toConnection(record: ConnectionRecord): Connection {
  const { uid: _, nameKey: __, revision: ___, sealed, ...shown } = record;
  return { ...shown, hasPassword: sealed !== undefined, etag: etagOf(record) };
}

/** A source as clients see it. */
export function toStoredSource(record: SourceRecord): StoredSource {
  const { name, kind: format, uri, options, connection, disabled, labels, createTime, updateTime } = record;
  const source = { format, uri, options, ...(connection !== undefined && { connection }) };
  return { name, source, disabled, labels, createTime, updateTime, etag: etagOf(record) };
}
