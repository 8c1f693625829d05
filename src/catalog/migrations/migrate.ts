import type { DatabaseSync } from "node:sqlite";
import { DriverError } from "../../errors/driver-error.ts";
import { retryWhileBusy } from "../sqlite/busy.ts";
import { datasetsAndOperations } from "./0001-datasets-and-operations.ts";
import { severalDrivers } from "./0002-several-drivers.ts";
import { definitions } from "./0003-definitions.ts";
import { storageLevels } from "./0007-storage-levels.ts";
import { uploads } from "./0008-uploads.ts";
import { datasetRefreshes } from "./0009-dataset-refreshes.ts";
import { stoppedLoads } from "./0010-stopped-loads.ts";
import { librarySetUses } from "./0012-library-set-uses.ts";
import { tokens } from "./0013-tokens.ts";
import type { Migration } from "./migration.ts";

const migrations: readonly Migration[] = [
  datasetsAndOperations,
  severalDrivers,
  definitions,
  storageLevels,
  uploads,
  datasetRefreshes,
  stoppedLoads,
  librarySetUses,
  tokens,
];

/** The catalog's format that this driver writes. */
export const catalogVersion = Math.max(...migrations.map(({ version }) => version));

/** Brings a catalog to this driver's format. Throws DATA_DIRECTORY_NEWER, with nothing written, where it is too new. */
export async function migrate(database: DatabaseSync, path: string): Promise<void> {
  const present = await retryWhileBusy(() => checkFormat(database, path));
  // A file of SQLite remembers WAL; asking for it again would take a lock for nothing.
  if (journalMode(database) !== "wal") await retryWhileBusy(() => database.exec("PRAGMA journal_mode = WAL"));
  if (present >= catalogVersion) return;
  await retryWhileBusy(() => apply(database));
  // The main file alone then says the new format, also to drivers that look at it before they open it. It may fail while
  // others read; then it happens later by itself.
  await retryWhileBusy(() => database.exec("PRAGMA wal_checkpoint(PASSIVE)"));
}

/**
 * Answers a catalog's format. A newer one is accepted where it says that drivers of this format can work with it; else
 * throws DATA_DIRECTORY_NEWER.
 */
export function checkFormat(database: DatabaseSync, path: string): number {
  const present = userVersion(database);
  if (present <= catalogVersion || compatibleFrom(database, present) <= catalogVersion) return present;
  throw new DriverError(
    "DATA_DIRECTORY_NEWER",
    `the catalog ${path} has format ${present}; this driver knows ${catalogVersion} at most`,
    { metadata: { path, format: String(present), known: String(catalogVersion) } },
  );
}

function compatibleFrom(database: DatabaseSync, present: number): number {
  const table = database.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'catalog_format'").get();
  if (table === undefined) return present;
  const from = database.prepare("SELECT max(compatible_from) AS oldest FROM catalog_format").get()?.oldest;
  return typeof from === "number" ? from : present;
}

function apply(database: DatabaseSync): void {
  database.exec("BEGIN IMMEDIATE");
  try {
    // Read again: another process may have been faster.
    const present = userVersion(database);
    for (const { version, sql, compatibleFrom } of migrations) {
      if (version <= present) continue;
      database.exec(`${sql}; PRAGMA user_version = ${version}`);
      if (compatibleFrom !== undefined) database.exec(`UPDATE catalog_format SET compatible_from = ${compatibleFrom}`);
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
