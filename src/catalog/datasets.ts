import type { Kysely, Selectable } from "kysely";
import type { CatalogSchema } from "./schema.ts";

/**
 * Where a dataset is kept: in its segments only, in memory while the budget allows, or in memory until it is released. Segments
 * exist at every level.
 */
export type StorageLevel = "disk" | "memory" | "pinned";

/** What the catalog knows of a dataset; its versions speak for themselves in their manifests. */
export interface DatasetRecord {
  /** Names the dataset's folder. */
  readonly uid: string;
  readonly name: string;
  /** The name in the form in which two names are the same to the engine. Unique. */
  readonly nameKey: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly createTime: Date;
  readonly storageLevel: StorageLevel;
  /** The number of the newest version, as far as it was noted. */
  readonly newestVersion?: number;
}

/** The datasets' names and labels, and which processes read them. */
export interface DatasetTables {
  list(): Promise<readonly DatasetRecord[]>;
  find(uid: string): Promise<DatasetRecord | undefined>;
  /** Writes the record unless there is one with its key; answers the one that is there afterwards. */
  insert(record: DatasetRecord): Promise<DatasetRecord>;
  /** Gives the record with this uid a name, labels and time; key and storage level stay. */
  update(record: DatasetRecord): Promise<void>;
  setStorageLevel(uid: string, level: StorageLevel): Promise<void>;
  remove(uid: string): Promise<void>;
  /** Notes a dataset's newest version and its lineage, as JSON. */
  published(uid: string, newest: { readonly version: number; readonly lineage: string }): Promise<void>;
  /** The lineage of the newest version of the dataset with this name, where it is known. */
  lineage(name: string): Promise<string | undefined>;
  /** Makes every other process look at a dataset again. */
  touch(uid: string): Promise<void>;
  /** Says that this process reads a version. */
  hold(uid: string, version: number): Promise<void>;
  /** Takes that back, for all versions of the dataset if none is given. */
  letGo(uid: string, version?: number): Promise<void>;
  /** The other processes that read a version, or any of a dataset's; some of them may be dead. */
  holders(uid: string, version?: number): Promise<readonly string[]>;
  /** The operation that loads the dataset with this key, and its process. */
  loading(nameKey: string): Promise<{ readonly operationId: string; readonly instanceId: string } | undefined>;
}

export interface DatasetCatalog extends DatasetTables {
  /**
   * Several steps as one: no other process writes the catalog meanwhile, so `work` must be short. It must use the tables that it
   * is given: others wait for its end.
   */
  atomically<T>(work: (tables: DatasetTables) => Promise<T>): Promise<T>;
}

export function createDatasetCatalog(db: Kysely<CatalogSchema>, instanceId: string): DatasetCatalog {
  const atomically = <T>(work: (tables: DatasetTables) => Promise<T>) =>
    db.transaction().execute((trx) => work(createTables(trx, instanceId)));
  return {
    ...createTables(db, instanceId),
    atomically,
    insert: (record) => atomically((tables) => tables.insert(record)),
  };
}

function createTables(db: Kysely<CatalogSchema>, instanceId: string): DatasetTables {
  return {
    async list() {
      return (await db.selectFrom("datasets").selectAll().execute()).map(fromRow);
    },
    async find(uid) {
      const row = await db.selectFrom("datasets").selectAll().where("uid", "=", uid).executeTakeFirst();
      return row && fromRow(row);
    },
    async insert(record) {
      await db
        .insertInto("datasets")
        .values(toRow(record))
        .onConflict((conflict) => conflict.column("name_key").doNothing())
        .execute();
      const row = db.selectFrom("datasets").selectAll().where("name_key", "=", record.nameKey);
      return fromRow(await row.executeTakeFirstOrThrow());
    },
    async update(record) {
      const { name, labels, create_time } = toRow(record);
      await db.updateTable("datasets").set({ name, labels, create_time }).where("uid", "=", record.uid).execute();
    },
    async setStorageLevel(uid, level) {
      await db.updateTable("datasets").set({ storage_level: level }).where("uid", "=", uid).execute();
    },
    async remove(uid) {
      await db.deleteFrom("datasets").where("uid", "=", uid).execute();
    },
    async published(uid, { version, lineage }) {
      await db.updateTable("datasets").set({ newest_version: version, lineage }).where("uid", "=", uid).execute();
    },
    async lineage(name) {
      const row = await db.selectFrom("datasets").select("lineage").where("name", "=", name).executeTakeFirst();
      return row?.lineage ?? undefined;
    },
    async touch(uid) {
      // A trigger notes the change.
      await db
        .updateTable("datasets")
        .set((eb) => ({ name: eb.ref("name") }))
        .where("uid", "=", uid)
        .execute();
    },
    async hold(uid, version) {
      const row = { uid, version, instance_id: instanceId };
      await db
        .insertInto("version_holds")
        .values(row)
        .onConflict((conflict) => conflict.doNothing())
        .execute();
    },
    async letGo(uid, version) {
      const own = db.deleteFrom("version_holds").where("uid", "=", uid).where("instance_id", "=", instanceId);
      await (version === undefined ? own : own.where("version", "=", version)).execute();
    },
    async holders(uid, version) {
      const all = db.selectFrom("version_holds").select("instance_id").distinct().where("uid", "=", uid);
      const others = all.where("instance_id", "!=", instanceId);
      const rows = await (version === undefined ? others : others.where("version", "=", version)).execute();
      return rows.map((row) => row.instance_id);
    },
    async loading(nameKey) {
      const running = db.selectFrom("loads").select(["operation_id", "instance_id"]).where("end_time", "is", null);
      const row = await running.where("name_key", "=", nameKey).executeTakeFirst();
      return row && { operationId: row.operation_id, instanceId: row.instance_id };
    },
  };
}

type Row = Selectable<CatalogSchema["datasets"]>;

function toRow({
  uid,
  name,
  nameKey,
  labels,
  createTime,
  storageLevel,
}: DatasetRecord): Omit<Row, "lineage" | "newest_version"> {
  return {
    ...{ uid, name, name_key: nameKey, labels: JSON.stringify(labels) },
    ...{ create_time: createTime.getTime(), storage_level: storageLevel },
  };
}

function fromRow(row: Omit<Row, "lineage">): DatasetRecord {
  const { uid, name, name_key, labels, create_time, storage_level, newest_version } = row;
  return {
    ...{ uid, name, nameKey: name_key, labels: JSON.parse(labels), createTime: new Date(create_time) },
    storageLevel: toLevel(storage_level),
    ...(newest_version !== null && { newestVersion: newest_version }),
  };
}

/** A level that only a newer driver knows counts as the default. */
function toLevel(text: string): StorageLevel {
  return text === "disk" || text === "pinned" ? text : "memory";
}
