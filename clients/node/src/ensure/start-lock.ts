import { chmod, open } from "node:fs/promises";
import { join } from "node:path";
import { makeFolder, modesOf } from "./folders.ts";

const sqliteBusy = 5;
const sqliteLocked = 6;

/** Held while a driver is started; undefined where another client, or another call of this one, holds it. */
export async function tryStartLock(dataDirectory: string, profile: string): Promise<Disposable | undefined> {
  const path = join(await makeFolder(dataDirectory, "drivers"), `${profile}.start.lock`);
  const DatabaseSync = loadSqlite();
  // It only saves work: the driver's own lock is the one that counts.
  if (DatabaseSync === undefined) return { [Symbol.dispose]: () => {} };
  await makeFile(path, (await modesOf(dataDirectory)).file);
  let database: InstanceType<typeof DatabaseSync> | undefined;
  try {
    const opened = new DatabaseSync(path, { timeout: 0 });
    database = opened;
    opened.exec("PRAGMA journal_mode = MEMORY; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
    return { [Symbol.dispose]: () => opened.close() };
  } catch (error) {
    database?.close();
    const code = ((error as { errcode?: number }).errcode ?? 0) & 0xff;
    if (code === sqliteBusy || code === sqliteLocked) return undefined;
    throw error;
  }
}

/** When it is first needed: only starting a driver does, and some runtimes have none. */
function loadSqlite() {
  return process.getBuiltinModule?.("node:sqlite")?.DatabaseSync;
}

/** SQLite would make it unwritable for the group. A file that is there is not opened: closing it would drop locks on it. */
async function makeFile(path: string, mode: number): Promise<void> {
  try {
    await (await open(path, "wx", mode)).close();
    await chmod(path, mode);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}
