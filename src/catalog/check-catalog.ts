import { statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { checkFormat } from "./migrations/migrate.ts";
import { retryWhileBusy } from "./sqlite/busy.ts";

export function catalogFile(dataDirectory: string): string {
  return join(dataDirectory, "catalog.sqlite");
}

/**
 * Looks whether this driver can work with the catalog of a data directory, if there is one, and writes nothing at all: whoever
 * must keep out leaves no trace. Throws DATA_DIRECTORY_NEWER.
 */
export async function checkCatalog(dataDirectory: string): Promise<void> {
  const path = catalogFile(dataDirectory);
  if (bytesOf(path) === 0) return;
  await retryWhileBusy(() => {
    using database = openUnchanged(path);
    checkFormat(database, path);
  });
}

/**
 * To read a file of WAL, SQLite makes two files beside it, which stay when a reader closes it. Without a log the main file
 * is all there is and nobody has it open; then it can be read as one that never changes.
 */
function openUnchanged(path: string): DatabaseSync {
  if (bytesOf(`${path}-wal`) > 0) return new DatabaseSync(path, { readOnly: true, timeout: 0 });
  const url = pathToFileURL(path);
  url.searchParams.set("immutable", "1");
  return new DatabaseSync(url, { readOnly: true });
}

function bytesOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
