import { DatabaseSync } from "node:sqlite";
import { Kysely } from "kysely";
import type { HistoryStore } from "../operations/history.ts";
import { type CatalogChanges, createCatalogChanges } from "./changes.ts";
import { catalogFile } from "./check-catalog.ts";
import { prepareDataDirectory } from "./data-directory.ts";
import { createDatasetCatalog, type DatasetCatalog } from "./datasets.ts";
import { createDefinitionCatalog, type DefinitionCatalog } from "./definitions.ts";
import { createDriverRegistry, type DriverRegistry, forgetDriver } from "./drivers.ts";
import type { Instance } from "./instance.ts";
import { createLibrarySetUses, type LibrarySetUses } from "./library-set-uses.ts";
import { createLoadCatalog, type LoadCatalog } from "./loads.ts";
import { migrate } from "./migrations/migrate.ts";
import { createOperationCatalog } from "./operations.ts";
import { createRefreshCatalog, type RefreshCatalog } from "./refreshes.ts";
import type { CatalogSchema } from "./schema.ts";
import { asCatalogError } from "./sqlite/busy.ts";
import { createFile } from "./sqlite/create-file.ts";
import { createNodeSqliteDialect } from "./sqlite/node-sqlite-dialect.ts";
import { createTokenCatalog, type TokenCatalog } from "./tokens.ts";
import { createUploadCatalog, type UploadCatalog } from "./uploads.ts";

/** What must survive a restart. Several processes may have it open. */
export interface Catalog extends AsyncDisposable {
  readonly datasets: DatasetCatalog;
  readonly loads: LoadCatalog;
  readonly operations: HistoryStore;
  readonly uploads: UploadCatalog;
  readonly changes: CatalogChanges;
  readonly drivers: DriverRegistry;
  readonly definitions: DefinitionCatalog;
  readonly refreshes: RefreshCatalog;
  readonly librarySets: LibrarySetUses;
  readonly tokens: TokenCatalog;
}

export interface CatalogOptions {
  readonly dataDirectory: string;
  readonly instance: Instance;
}

/** Opens `catalog.sqlite` in the data directory, making it where there is none. Throws DATA_DIRECTORY_NEWER. */
export async function openCatalog({ dataDirectory, instance }: CatalogOptions): Promise<Catalog> {
  await prepareDataDirectory(dataDirectory);
  const path = catalogFile(dataDirectory);
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
  const closed = new AbortController();
  const self = {
    dataDirectory,
    instanceId: instance.id,
    isAlive: (id: string) => instance.isAlive(id),
    closed: closed.signal,
  };
  const drivers = createDriverRegistry(db, self);
  try {
    await drivers.register();
  } catch (error) {
    await close(db, database);
    throw error;
  }
  const changes = createCatalogChanges(db, database);
  let closing: Promise<void> | undefined;
  return {
    datasets: createDatasetCatalog(db, instance.id),
    loads: createLoadCatalog(db, self),
    operations: createOperationCatalog(db, self),
    uploads: createUploadCatalog(db, instance.id),
    changes,
    drivers,
    definitions: createDefinitionCatalog(db),
    refreshes: createRefreshCatalog(db, self),
    librarySets: createLibrarySetUses(db, self),
    tokens: createTokenCatalog(db, database, changes),
    [Symbol.asyncDispose]() {
      closed.abort();
      // What can't be taken back counts no more once this process has ended.
      closing ??= forgetDriver(db, instance.id)
        .catch(() => undefined)
        .then(() => close(db, database));
      return closing;
    },
  };
}

function openDatabase(path: string): DatabaseSync {
  try {
    createFile(path);
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
