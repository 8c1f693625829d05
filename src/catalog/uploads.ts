import type { Kysely, Selectable } from "kysely";
import type { Owner } from "../operations/owner.ts";
import type { CatalogSchema } from "./schema.ts";

/** What a client says of a file before it sends it. */
export interface AnnouncedUpload {
  /** Chosen by the client. */
  readonly id: string;
  /** The client's name for it: a label and no path. */
  readonly name: string;
  /** The kind of source that it is; empty leaves that to the name's ending. */
  readonly format: string;
  /** Undefined until its end. */
  readonly size: number | undefined;
  /** In hexadecimal digits; undefined until its end. */
  readonly sha256: string | undefined;
}

/** A file that a client has sent, or sends. */
export interface UploadRecord extends AnnouncedUpload {
  /** Its name in the folder of uploads. */
  readonly file: string;
  /** The driver process that receives it. */
  readonly writer: string | undefined;
  readonly requestedBy: string;
  /** Undefined where it was sent before there were owners. */
  readonly owner: Owner | undefined;
  readonly createTime: number;
  readonly useTime: number;
  /** Undefined until all of it is there and verified. */
  readonly finishTime: number | undefined;
}

/** The uploads of a data directory. Every call reads the catalog, so what other processes write counts at once. */
export interface UploadCatalog {
  /** By id. */
  list(): Promise<readonly UploadRecord[]>;
  find(id: string): Promise<UploadRecord | undefined>;
  /**
   * Makes this process the one that receives a file, making its record where there is none, if `mayWrite` lets it: that is given the
   * record that there is and throws, or answers false for one that is not to be written.
   */
  claim(
    announced: AnnouncedUpload & Pick<UploadRecord, "file" | "requestedBy" | "owner">,
    mayWrite: (present: UploadRecord) => Promise<boolean>,
  ): Promise<UploadRecord>;
  /** Lets others go on with it. */
  release(upload: Pick<UploadRecord, "id" | "file">): Promise<void>;
  /** Answers false where the record is no more the one of this file. */
  finish(
    upload: Pick<UploadRecord, "id" | "file">,
    found: { readonly size: number; readonly sha256: string },
  ): Promise<boolean>;
  used(id: string): Promise<void>;
  /** Forgets a record if it is still the one of this file and `where` holds; answers whether it was. */
  remove(
    upload: Pick<UploadRecord, "id" | "file">,
    where?: (present: UploadRecord) => Promise<boolean>,
  ): Promise<boolean>;
}

export function createUploadCatalog(db: Kysely<CatalogSchema>, instanceId: string): UploadCatalog {
  const update = async (
    { id, file }: { readonly id: string; readonly file?: string },
    values: Partial<Selectable<CatalogSchema["uploads"]>>,
  ) => {
    const all = db.updateTable("uploads").set(values).where("id", "=", id);
    const { numUpdatedRows } = await (file === undefined ? all : all.where("file", "=", file)).executeTakeFirst();
    return numUpdatedRows > 0n;
  };
  return {
    list: async () => (await db.selectFrom("uploads").selectAll().orderBy("id").execute()).map(fromRow),
    find: (id) => findUpload(db, id),
    claim: ({ id, file, name, format, size, sha256, requestedBy, owner }, mayWrite) =>
      db.transaction().execute(async (trx) => {
        const now = Date.now();
        const present = await findUpload(trx, id);
        if (present !== undefined) {
          if (!(await mayWrite(present))) return present;
          const claimed = { writer: instanceId, use_time: now };
          await trx.updateTable("uploads").set(claimed).where("id", "=", id).execute();
          return { ...present, writer: instanceId, useTime: now };
        }
        const row = {
          ...{ id, file, name, format, size: size ?? null, sha256: sha256 ?? null, writer: instanceId },
          owner: owner ? JSON.stringify(owner) : null,
          ...{ requested_by: requestedBy, create_time: now, use_time: now, finish_time: null },
        };
        await trx.insertInto("uploads").values(row).execute();
        return fromRow(row);
      }),
    release: async (upload) => void (await update(upload, { writer: null, use_time: Date.now() })),
    finish: (upload, { size, sha256 }) => {
      const now = Date.now();
      return update(upload, { size, sha256, writer: null, use_time: now, finish_time: now });
    },
    used: async (id) => void (await update({ id }, { use_time: Date.now() })),
    remove: ({ id, file }, where = async () => true) =>
      db.transaction().execute(async (trx) => {
        const present = await findUpload(trx, id);
        if (present?.file !== file || !(await where(present))) return false;
        await trx.deleteFrom("uploads").where("id", "=", id).execute();
        return true;
      }),
  };
}

export async function findUpload(db: Kysely<CatalogSchema>, id: string): Promise<UploadRecord | undefined> {
  const row = await db.selectFrom("uploads").selectAll().where("id", "=", id).executeTakeFirst();
  return row && fromRow(row);
}

function fromRow(row: Selectable<CatalogSchema["uploads"]>): UploadRecord {
  const { id, file, name, format, size, sha256, writer, requested_by, create_time, use_time, finish_time, owner } = row;
  return {
    ...{ id, file, name, format, size: size ?? undefined, sha256: sha256 ?? undefined },
    ...{ writer: writer ?? undefined, requestedBy: requested_by },
    owner: owner === null ? undefined : (JSON.parse(owner) as Owner),
    ...{ createTime: create_time, useTime: use_time, finishTime: finish_time ?? undefined },
  };
}
