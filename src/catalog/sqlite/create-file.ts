import { closeSync, openSync } from "node:fs";

/**
 * Makes a database's file where there is none, since SQLite makes it 0644 at most, which the group that shares a data
 * directory could not write. Its `-wal` and `-shm` take their modes from it. A file that is there is never opened: closing it
 * would drop the POSIX locks that this process has on it.
 */
export function createFile(path: string): void {
  try {
    closeSync(openSync(path, "wx", 0o666));
  } catch {
    // It is there, or SQLite says why it can't be made.
  }
}
