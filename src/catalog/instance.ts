import { existsSync } from "node:fs";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { setTimeout } from "node:timers/promises";
import { folderMode } from "../config/file-modes.ts";
import { DriverError } from "../errors/driver-error.ts";
import { prepareDataDirectory } from "./data-directory.ts";
import { tryLock } from "./sqlite/lock-file.ts";

/** This driver process among those that share a data directory. */
export interface Instance extends AsyncDisposable {
  readonly id: string;
  /** Whether the driver process with this id still lives. */
  isAlive(id: string): Promise<boolean>;
}

const ENDING = ".lock";
const CLAIM_DEADLINE_MS = 5_000;

/**
 * Makes this process known as a living user of the data directory, until it is disposed or dies. A lock that the system
 * takes back from a dead process decides, not a process id: ids come again, and mean nothing between containers.
 * Ids must be new at each start. Throws DATA_DIRECTORY_NEWER and DATA_DIRECTORY_UNUSABLE before anything is written.
 */
export async function claimInstance({ dataDirectory, id }: { dataDirectory: string; id: string }): Promise<Instance> {
  await prepareDataDirectory(dataDirectory);
  const folder = join(dataDirectory, "instances");
  await mkdir(folder, { recursive: true, mode: folderMode() });
  await removeDeadInstances(dataDirectory);
  const lock = await lockOwn(join(folder, id + ENDING));
  let closed = false;
  return {
    id,
    isAlive: async (other) => other === id || isHeld(join(folder, other + ENDING)),
    async [Symbol.asyncDispose]() {
      if (closed) return;
      closed = true;
      await removeFilesOf(folder, id);
      lock.close();
    },
  };
}

/** Removes the lock files that dead processes have left, and what lies beside them. A missing one means the same as one that nobody holds. */
export async function removeDeadInstances(dataDirectory: string): Promise<void> {
  const folder = join(dataDirectory, "instances");
  for (const file of await readdir(folder)) {
    if (!file.endsWith(ENDING)) continue;
    const lock = tryLock(join(folder, file));
    if (lock === undefined) continue;
    await removeFilesOf(folder, file.slice(0, -ENDING.length));
    lock.close();
  }
}

/** Removes what lies beside an instance's lock, and this at last: without it nobody would find the rest. */
async function removeFilesOf(folder: string, id: string): Promise<void> {
  for (const file of await readdir(folder)) {
    if (file.startsWith(`${id}.`) && file !== id + ENDING) await rm(join(folder, file), { force: true });
  }
  await rm(join(folder, id + ENDING), { force: true });
}

async function lockOwn(path: string): Promise<DatabaseSync> {
  const deadline = performance.now() + CLAIM_DEADLINE_MS;
  do {
    const lock = tryLock(path);
    // Between opening and locking, another process may have taken it for a dead one's and removed it.
    if (lock !== undefined && existsSync(path)) return lock;
    lock?.close();
    await setTimeout(2);
  } while (performance.now() < deadline);
  throw new DriverError("DATA_DIRECTORY_UNUSABLE", `${path} is locked by another process`, { metadata: { path } });
}

function isHeld(path: string): boolean {
  if (!existsSync(path)) return false;
  const lock = tryLock(path);
  lock?.close();
  return lock === undefined;
}
