import type { DatabaseSync } from "node:sqlite";
import type { Kysely } from "kysely";
import type { CatalogSchema } from "./schema.ts";
import { isBusy } from "./sqlite/busy.ts";

/** What other driver processes have changed. */
export interface CatalogChanges {
  /** Another number whenever another process has written anything into the catalog. Takes 3 µs, so that every call may ask. */
  version(): number;
  /** The number of the latest change of a dataset. */
  latest(): Promise<number>;
  /** The datasets that have changed after the change with this number, and the number of the latest. */
  since(sequence: number): Promise<{ readonly uids: readonly string[]; readonly latest: number }>;
  /** Forgets old changes of datasets that are gone. */
  prune(): Promise<void>;
}

/** Whoever has not looked for so long must look at everything. */
export const CHANGES_KEPT_MS = 7 * 86_400_000;

export function createCatalogChanges(db: Kysely<CatalogSchema>, database: DatabaseSync): CatalogChanges {
  // https://sqlite.org/pragma.html#pragma_data_version
  const dataVersion = database.prepare("PRAGMA data_version");
  return {
    version() {
      try {
        return Number(dataVersion.get()?.data_version);
      } catch (error) {
        // NaN equals no number, so whoever asks looks at what has changed, and waits there if need be.
        if (isBusy(error)) return Number.NaN;
        throw error;
      }
    },
    async latest() {
      const query = db.selectFrom("dataset_changes").select((eb) => eb.fn.max("sequence").as("latest"));
      return (await query.executeTakeFirst())?.latest ?? 0;
    },
    async since(sequence) {
      const query = db.selectFrom("dataset_changes").select(["uid", "sequence"]).where("sequence", ">", sequence);
      const rows = await query.orderBy("sequence").execute();
      return { uids: rows.map(({ uid }) => uid), latest: rows.at(-1)?.sequence ?? sequence };
    },
    async prune() {
      await db
        .deleteFrom("dataset_changes")
        .where("time", "<", Date.now() - CHANGES_KEPT_MS)
        .where("uid", "not in", db.selectFrom("datasets").select("uid"))
        // Numbers must never come again.
        .where("sequence", "<", (eb) =>
          eb.selectFrom("dataset_changes").select((of) => of.fn.max("sequence").as("latest")),
        )
        .execute();
    },
  };
}
