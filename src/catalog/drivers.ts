import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Kysely } from "kysely";
import { DriverError } from "../errors/driver-error.ts";
import { touchByKey } from "./loads.ts";
import type { CatalogSchema } from "./schema.ts";

export interface DriverRegistryOptions {
  readonly dataDirectory: string;
  readonly instanceId: string;
  readonly isAlive: (instanceId: string) => Promise<boolean>;
}

/** The driver processes that tell each other, in the catalog, what they read and load. */
export interface DriverRegistry {
  /** Whether this process lives, as its lock says. */
  isAlive(instanceId: string): Promise<boolean>;
  /** Whether a process lives that does not tell what it reads: one of an earlier format, or one that is just starting. */
  hasStranger(): Promise<boolean>;
  /** Makes this process one of them. On a full disk that comes later: until then the others remove nothing. */
  register(): Promise<void>;
  /** Forgets what dead processes have said. */
  forgetDead(): Promise<void>;
}

const LOCK_ENDING = ".lock";

export function createDriverRegistry(db: Kysely<CatalogSchema>, options: DriverRegistryOptions): DriverRegistry {
  const { dataDirectory, instanceId, isAlive } = options;
  let registered = false;
  const register = async () => {
    if (registered) return;
    try {
      const row = { instance_id: instanceId };
      const insert = db.insertInto("drivers").values(row);
      await insert.onConflict((conflict) => conflict.doNothing()).execute();
      registered = true;
    } catch (error) {
      if (!(error instanceof DriverError) || error.reason !== "DISK_FULL") throw error;
    }
  };
  return {
    isAlive,
    register,
    async hasStranger() {
      const rows = await db.selectFrom("drivers").select("instance_id").execute();
      const known = new Set([instanceId, ...rows.map((row) => row.instance_id)]);
      for (const file of await readdir(join(dataDirectory, "instances"))) {
        const id = file.endsWith(LOCK_ENDING) ? file.slice(0, -LOCK_ENDING.length) : instanceId;
        if (!known.has(id) && (await isAlive(id))) return true;
      }
      return false;
    },
    async forgetDead() {
      await register();
      const said = await db
        .selectFrom("drivers")
        .select("instance_id")
        .union(db.selectFrom("version_holds").select("instance_id"))
        .union(db.selectFrom("library_set_uses").select("instance_id"))
        .union(db.selectFrom("loads").select("instance_id").where("end_time", "is", null))
        .execute();
      for (const { instance_id } of said) {
        if (instance_id !== instanceId && !(await isAlive(instance_id))) await forgetDriver(db, instance_id);
      }
    },
  };
}

/** Takes back all that a process has said. */
export async function forgetDriver(db: Kysely<CatalogSchema>, instanceId: string): Promise<void> {
  await db.transaction().execute(async (trx) => {
    const loads = trx.selectFrom("loads").select("name_key").where("instance_id", "=", instanceId);
    // It may have published a version and died before it said so.
    for (const { name_key } of await loads.where("end_time", "is", null).execute()) await touchByKey(trx, name_key);
    await trx.deleteFrom("loads").where("instance_id", "=", instanceId).where("end_time", "is", null).execute();
    // Whoever appends holds the version that it adds to, and claims no load.
    const held = trx.selectFrom("version_holds").select("uid").where("instance_id", "=", instanceId);
    await trx
      .updateTable("datasets")
      .set((eb) => ({ name: eb.ref("name") }))
      .where("uid", "in", held)
      .execute();
    await trx.deleteFrom("version_holds").where("instance_id", "=", instanceId).execute();
    await trx.deleteFrom("library_set_uses").where("instance_id", "=", instanceId).execute();
    await trx.deleteFrom("drivers").where("instance_id", "=", instanceId).execute();
  });
}
