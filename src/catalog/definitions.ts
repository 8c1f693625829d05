import type { Insertable, Kysely, Selectable } from "kysely";
import type { CatalogSchema } from "./schema.ts";
import { findUpload, type UploadRecord } from "./uploads.ts";

/** What connections and sources have in common. */
export interface DefinitionRecord {
  /** Another one where a name is defined anew. */
  readonly uid: string;
  readonly name: string;
  /** The name in the form in which two names are the same. Unique. */
  readonly nameKey: string;
  readonly kind: string;
  readonly uri: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly createTime: Date;
  readonly updateTime: Date;
  /** Counts changes. */
  readonly revision: number;
}

/** A connection as it is kept. */
export interface ConnectionRecord extends DefinitionRecord {
  /** A reference. */
  readonly secret: string | undefined;
  /** The password under the key of the data directory. */
  readonly sealed: string | undefined;
  readonly maxStatements: number | undefined;
}

/** A source as it is kept. */
export interface SourceRecord extends DefinitionRecord {
  /** The name of its connection. */
  readonly connection: string | undefined;
  readonly disabled: boolean;
}

/** Records of one sort, by name. */
export interface DefinitionTable<R extends DefinitionRecord> {
  /** By name. */
  list(): Promise<readonly R[]>;
  find(nameKey: string): Promise<R | undefined>;
  /** Writes a record, over the one with its uid if there is one. */
  put(record: R): Promise<void>;
  remove(uid: string): Promise<void>;
}

export interface DefinitionTables {
  readonly connections: DefinitionTable<ConnectionRecord>;
  readonly sources: DefinitionTable<SourceRecord>;
  /** The names of the sources that use a connection. */
  usersOf(connection: string): Promise<readonly string[]>;
  /** A file that a client has sent: sources may refer to it. */
  findUpload(id: string): Promise<UploadRecord | undefined>;
}

export interface DefinitionCatalog extends DefinitionTables {
  /**
   * Several steps as one: no other process writes the catalog meanwhile, so `work` must be short. It must use the tables that it
   * is given: others wait for its end.
   */
  atomically<T>(work: (tables: DefinitionTables) => Promise<T>): Promise<T>;
}

/** Connections and sources. Every call reads the catalog, so what other processes write counts at once. */
export function createDefinitionCatalog(db: Kysely<CatalogSchema>): DefinitionCatalog {
  return { ...createTables(db), atomically: (work) => db.transaction().execute((trx) => work(createTables(trx))) };
}

function createTables(db: Kysely<CatalogSchema>): DefinitionTables {
  return {
    connections: {
      list: async () => (await db.selectFrom("connections").selectAll().orderBy("name").execute()).map(toConnection),
      find: async (nameKey) => {
        const row = db.selectFrom("connections").selectAll().where("name_key", "=", nameKey).executeTakeFirst();
        return optional(await row, toConnection);
      },
      put: async (record) => {
        const values = {
          ...shared(record),
          secret: record.secret ?? null,
          sealed: record.sealed ?? null,
          max_statements: record.maxStatements ?? null,
        };
        const insert = db.insertInto("connections").values(values);
        await insert.onConflict((conflict) => conflict.column("uid").doUpdateSet(values)).execute();
      },
      remove: async (uid) => void (await db.deleteFrom("connections").where("uid", "=", uid).execute()),
    },
    sources: {
      list: async () => (await db.selectFrom("sources").selectAll().orderBy("name").execute()).map(toSource),
      find: async (nameKey) => {
        const row = db.selectFrom("sources").selectAll().where("name_key", "=", nameKey).executeTakeFirst();
        return optional(await row, toSource);
      },
      put: async (record) => {
        const { connection = null, disabled } = record;
        const values = { ...shared(record), connection, disabled: disabled ? 1 : 0 };
        const insert = db.insertInto("sources").values(values);
        await insert.onConflict((conflict) => conflict.column("uid").doUpdateSet(values)).execute();
      },
      remove: async (uid) => void (await db.deleteFrom("sources").where("uid", "=", uid).execute()),
    },
    findUpload: (id) => findUpload(db, id),
    usersOf: async (connection) => {
      const users = db.selectFrom("sources").select("name").where("connection", "=", connection).orderBy("name");
      return (await users.execute()).map(({ name }) => name);
    },
  };
}

type SharedRow = Pick<
  Selectable<CatalogSchema["sources"]>,
  "uid" | "name" | "name_key" | "kind" | "uri" | "options" | "labels" | "create_time" | "update_time" | "revision"
>;

function shared(record: DefinitionRecord): Insertable<SharedRow> {
  const { uid, name, nameKey, kind, uri, options, labels, createTime, updateTime, revision } = record;
  return {
    ...{ uid, name, kind, uri, revision },
    name_key: nameKey,
    options: JSON.stringify(options),
    labels: JSON.stringify(labels),
    create_time: createTime.getTime(),
    update_time: updateTime.getTime(),
  };
}

function fromShared(row: SharedRow): DefinitionRecord {
  const { uid, name, name_key, kind, uri, options, labels, create_time, update_time, revision } = row;
  return {
    ...{ uid, name, kind, uri, revision },
    nameKey: name_key,
    options: JSON.parse(options),
    labels: JSON.parse(labels),
    createTime: new Date(create_time),
    updateTime: new Date(update_time),
  };
}

function toConnection(row: Selectable<CatalogSchema["connections"]>): ConnectionRecord {
  return {
    ...fromShared(row),
    secret: row.secret ?? undefined,
    sealed: row.sealed ?? undefined,
    maxStatements: row.max_statements ?? undefined,
  };
}

function toSource(row: Selectable<CatalogSchema["sources"]>): SourceRecord {
  return { ...fromShared(row), connection: row.connection ?? undefined, disabled: row.disabled !== 0 };
}

function optional<R, T>(row: R | undefined, convert: (row: R) => T): T | undefined {
  return row === undefined ? undefined : convert(row);
}
