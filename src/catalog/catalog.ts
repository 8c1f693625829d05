import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Kysely } from "kysely";
import type { HistoryStore } from "../operations/history.ts";
import { prepareDataDirectory } from "./data-directory.ts";
import { createDatasetCatalog, type DatasetCatalog } from "./datasets.ts";
import type { Instance } from "./instance.ts";
import { migrate } from "./migrations/migrate.ts";
import { createOperationCatalog } from "./operations.ts";
import type { CatalogSchema } from "./schema.ts";
import { asCatalogError } from "./sqlite/busy.ts";
import { createNodeSqliteDialect } from "./sqlite/node-sqlite-dialect.ts";

/** What must survive a restart. Several processes may have it open. */
export interface Catalog extends AsyncDisposable {
  readonly datasets: DatasetCatalog;
  readonly operations: HistoryStore;
}

export interface CatalogOptions {
  readonly dataDirectory: string;
  readonly instance: Instance;
}

/** Opens `catalog.sqlite` in the data directory, making it where there is none. Throws DATA_DIRECTORY_NEWER. */
export async function openCatalog({ dataDirectory, instance }: CatalogOptions): Promise<Catalog> {
  await prepareDataDirectory(dataDirectory);
  const path = join(dataDirectory, "catalog.sqlite");
  const database = openDatabase(path);
  try {
    await migrate(database, path);
    // With WAL this loses the last commits at a power cut, never the file; a commit then costs no fsync.
    database.exec("PRAGMA synchronous = NORMAL");
  } catch (error) {
    database.close();
    throw error;
  }
  const db = new Kysely<CatalogSchema>({ dialect: createNodeSqliteDialect(database) });
  let closing: Promise<void> | undefined;
  return {
    datasets: createDatasetCatalog(db),
    operations: createOperationCatalog(db, { instanceId: instance.id, isAlive: (id) => instance.isAlive(id) }),
    [Symbol.asyncDispose]() {
      closing ??= close(db, database);
      return closing;
    },
  };
}

function openDatabase(path: string): DatabaseSync {
  try {
    return new DatabaseSync(path, { timeout: 0 });
  } catch (error) {
    throw asCatalogError(error);
  }
}

async function close(db: Kysely<CatalogSchema>, database: DatabaseSync): Promise<void> {
  await db.destroy();
  // Kysely closes only what it has used.
  if (database.isOpen) database.close();
}
