import { DatabaseSync } from "node:sqlite";
import { asCatalogError, isBusy } from "./busy.ts";
import { createFile } from "./create-file.ts";

/**
 * Takes the lock that a file stands for, making the file; undefined when another connection holds it. Closing gives it
 * back, and so does the system when the process dies. Never open such a file by other means: closing it would drop POSIX locks.
 */
export function tryLock(path: string): DatabaseSync | undefined {
  let database: DatabaseSync | undefined;
  try {
    createFile(path);
    database = new DatabaseSync(path, { timeout: 0 });
    // Nothing is ever written to it, so it needs no journal beside it.
    database.exec("PRAGMA journal_mode = MEMORY; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
    return database;
  } catch (error) {
    database?.close();
    if (isBusy(error)) return undefined;
    throw asCatalogError(error);
  }
}
