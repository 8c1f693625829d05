import { setTimeout } from "node:timers/promises";
import type { Kysely } from "kysely";
import { DriverError } from "../errors/driver-error.ts";
import type { CatalogSchema } from "./schema.ts";

/** A library set that a driver process works with. */
export interface LibrarySetUse {
  /** As the driver's configuration calls it. */
  readonly name: string;
  readonly hash: string;
  /** Who that is, for people. */
  readonly profile: string;
  readonly pid: number;
  readonly host: string;
}

/** Which driver process works with which library set. */
export interface LibrarySetUses {
  /** Says that this process works with these, until its end. On a full disk that comes later. */
  hold(uses: readonly LibrarySetUse[]): Promise<void>;
  /** Those of processes that live. */
  list(): Promise<readonly LibrarySetUse[]>;
  /**
   * Does `work` unless a process that lives uses the set. The look and the work are one transaction, and a process first says
   * that it uses a set and then looks whether it is there: so either it finds the set gone, or the set stays. Answers whether it was done.
   */
  unlessUsed(hash: string, work: () => Promise<void>): Promise<boolean>;
}

export interface LibrarySetUsesOptions {
  readonly instanceId: string;
  readonly isAlive: (instanceId: string) => Promise<boolean>;
  /** Aborted when the catalog closes. */
  readonly closed: AbortSignal;
}

const RETRY_AFTER_MS = 10_000;

export function createLibrarySetUses(db: Kysely<CatalogSchema>, options: LibrarySetUsesOptions): LibrarySetUses {
  const { instanceId, isAlive, closed } = options;
  const hold = async (uses: readonly LibrarySetUse[]): Promise<void> => {
    if (uses.length === 0) return;
    const rows = uses.map((use) => ({ ...use, instance_id: instanceId }));
    try {
      const insert = db.insertInto("library_set_uses").values(rows);
      await insert.onConflict((conflict) => conflict.doNothing()).execute();
    } catch (error) {
      // Others take nothing away meanwhile unless its name is gone as well.
      if (!(error instanceof DriverError) || error.reason !== "DISK_FULL") throw error;
      void again(uses);
    }
  };
  const again = async (uses: readonly LibrarySetUse[]): Promise<void> => {
    const open = await setTimeout(RETRY_AFTER_MS, true, { signal: closed, ref: false }).catch(() => false);
    if (open) await hold(uses).catch(() => again(uses));
  };
  const isUsed = async (table: Kysely<CatalogSchema>, hash: string): Promise<boolean> => {
    const users = await table.selectFrom("library_set_uses").select("instance_id").where("hash", "=", hash).execute();
    for (const { instance_id } of users) if (await isAlive(instance_id)) return true;
    return false;
  };
  return {
    hold,
    async list() {
      const rows = await db.selectFrom("library_set_uses").selectAll().orderBy("name").orderBy("pid").execute();
      const living: LibrarySetUse[] = [];
      for (const { instance_id, ...use } of rows) if (await isAlive(instance_id)) living.push(use);
      return living;
    },
    unlessUsed: (hash, work) =>
      db.transaction().execute(async (trx) => {
        if (await isUsed(trx, hash)) return false;
        await work();
        return true;
      }),
  };
}
