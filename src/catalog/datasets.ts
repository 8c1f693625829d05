import type { Kysely, Selectable } from "kysely";
import type { CatalogSchema } from "./schema.ts";

/** What the catalog knows of a dataset; its versions speak for themselves in their manifests. */
export interface DatasetRecord {
  /** Names the dataset's folder. */
  readonly uid: string;
  readonly name: string;
  /** The name in the form in which two names are the same to the engine. Unique. */
  readonly nameKey: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly createTime: Date;
}

/** The datasets' names and labels. */
export interface DatasetCatalog {
  list(): Promise<readonly DatasetRecord[]>;
  /** Writes the record unless there is one with its key; answers the one that is there afterwards. */
  insert(record: DatasetRecord): Promise<DatasetRecord>;
  /** Gives the record with this uid a name, labels and time; the key stays. */
  update(record: DatasetRecord): Promise<void>;
  remove(uid: string): Promise<void>;
}

export function createDatasetCatalog(db: Kysely<CatalogSchema>): DatasetCatalog {
  return {
    async list() {
      return (await db.selectFrom("datasets").selectAll().execute()).map(fromRow);
    },
    insert(record) {
      return db.transaction().execute(async (trx) => {
        await trx
          .insertInto("datasets")
          .values(toRow(record))
          .onConflict((conflict) => conflict.column("name_key").doNothing())
          .execute();
        const row = trx.selectFrom("datasets").selectAll().where("name_key", "=", record.nameKey);
        return fromRow(await row.executeTakeFirstOrThrow());
      });
    },
    async update(record) {
      const { name, labels, create_time } = toRow(record);
      await db.updateTable("datasets").set({ name, labels, create_time }).where("uid", "=", record.uid).execute();
    },
    async remove(uid) {
      await db.deleteFrom("datasets").where("uid", "=", uid).execute();
    },
  };
}

type Row = Selectable<CatalogSchema["datasets"]>;

function toRow({ uid, name, nameKey, labels, createTime }: DatasetRecord): Row {
  return { uid, name, name_key: nameKey, labels: JSON.stringify(labels), create_time: createTime.getTime() };
}

function fromRow({ uid, name, name_key, labels, create_time }: Row): DatasetRecord {
  return { uid, name, nameKey: name_key, labels: JSON.parse(labels), createTime: new Date(create_time) };
}
