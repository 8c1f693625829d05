import type { DatabaseSync } from "node:sqlite";
import { DriverError } from "../../errors/driver-error.ts";
import { retryWhileBusy } from "../sqlite/busy.ts";
import { datasetsAndOperations } from "./0001-datasets-and-operations.ts";
import type { Migration } from "./migration.ts";

const migrations: readonly Migration[] = [datasetsAndOperations];

/** The catalog's format that this driver writes. */
export const catalogVersion = Math.max(...migrations.map(({ version }) => version));

/** Brings a catalog to this driver's format. Throws DATA_DIRECTORY_NEWER, with nothing written, where it is newer. */
export async function migrate(database: DatabaseSync, path: string): Promise<void> {
  const present = await retryWhileBusy(() => userVersion(database));
  if (present > catalogVersion) {
    throw new DriverError(
      "DATA_DIRECTORY_NEWER",
      `the catalog ${path} has format ${present}; this driver knows ${catalogVersion} at most`,
      { metadata: { path, format: String(present), known: String(catalogVersion) } },
    );
  }
  // A file of SQLite remembers WAL; asking for it again would take a lock for nothing.
  if (journalMode(database) !== "wal") await retryWhileBusy(() => database.exec("PRAGMA journal_mode = WAL"));
  if (present < catalogVersion) await retryWhileBusy(() => apply(database));
}

function apply(database: DatabaseSync): void {
  database.exec("BEGIN IMMEDIATE");
  try {
    // Read again: another process may have been faster.
    const present = userVersion(database);
    for (const { version, sql } of migrations) {
      if (version > present) database.exec(`${sql}; PRAGMA user_version = ${version}`);
    }
    database.exec("COMMIT");
  } catch (error) {
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}

function userVersion(database: DatabaseSync): number {
  return Number(database.prepare("PRAGMA user_version").get()?.user_version);
}

function journalMode(database: DatabaseSync): unknown {
  return database.prepare("PRAGMA journal_mode").get()?.journal_mode;
}
