import { setTimeout } from "node:timers/promises";
import { DriverError } from "../../errors/driver-error.ts";

// https://sqlite.org/rescode.html; the low byte is the primary code.
const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;
const SQLITE_READONLY = 8;
const SQLITE_IOERR = 10;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_CANTOPEN = 14;
const SQLITE_NOTADB = 26;

/** How long a statement is tried again while other processes hold the catalog. */
const BUSY_DEADLINE_MS = 10_000;
const MAX_PAUSE_MS = 50;

/**
 * Runs a synchronous SQLite call; one that finds the file locked is tried again after a pause that leaves the event loop
 * free (SQLite's own busy timeout would block it). Throws CATALOG_BUSY after 10 s.
 */
export async function retryWhileBusy<T>(call: () => T): Promise<T> {
  const deadline = performance.now() + BUSY_DEADLINE_MS;
  for (let pauseMs = 1; ; pauseMs = Math.min(MAX_PAUSE_MS, pauseMs * 2)) {
    try {
      return call();
    } catch (error) {
      if (!isBusy(error) || performance.now() > deadline) throw asCatalogError(error);
      // Jitter, so that several writers don't meet again and again.
      await setTimeout(pauseMs * (0.5 + Math.random()));
    }
  }
}

/** Whether an error of node:sqlite says that another connection holds the lock. */
export function isBusy(error: unknown): boolean {
  const code = primaryCode(error);
  return code === SQLITE_BUSY || code === SQLITE_LOCKED;
}

/** Says in the catalogue's words what SQLite has refused; anything else comes back as it is. */
export function asCatalogError(error: unknown): unknown {
  switch (primaryCode(error)) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return new DriverError("CATALOG_BUSY", `the catalog was locked for ${BUSY_DEADLINE_MS} ms`, { cause: error });
    case SQLITE_FULL:
      return new DriverError("DISK_FULL", "no space is left for the catalog", { cause: error });
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return new DriverError("CATALOG_DAMAGED", "the catalog is no whole SQLite database", { cause: error });
    case SQLITE_READONLY:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
      return new DriverError("DATA_DIRECTORY_UNUSABLE", `the catalog can't be read or written: ${String(error)}`, {
        cause: error,
      });
    default:
      return error;
  }
}

function primaryCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number") return undefined;
  return error.errcode & 0xff;
}
