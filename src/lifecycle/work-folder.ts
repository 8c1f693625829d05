import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { folderMode } from "../config/file-modes.ts";

export interface WorkFolderOptions {
  readonly dataDirectory: string;
  readonly instanceId: string;
  /** Whether the driver process with an id still lives. */
  readonly isAlive: (instanceId: string) => Promise<boolean>;
}

/** Folders for what does not outlive this driver process; disposing removes them. */
export interface WorkFolder extends AsyncDisposable {
  /** Makes a folder of its own; empty. */
  make(name: string): Promise<string>;
}

/** Where a driver process keeps what does not outlive it. */
export function workFolderOf(dataDirectory: string, instanceId: string): string {
  return join(dataDirectory, "work", instanceId);
}

/** Opens `work/<instance id>` in the data directory. `removeDead` clears what killed processes have left. */
export async function openWorkFolder(
  options: WorkFolderOptions,
): Promise<WorkFolder & { removeDead(): Promise<void> }> {
  const { dataDirectory, instanceId, isAlive } = options;
  const root = join(dataDirectory, "work");
  const own = workFolderOf(dataDirectory, instanceId);
  await mkdir(own, { recursive: true, mode: folderMode() });
  return {
    make: async (name) => {
      const folder = join(own, name);
      await mkdir(folder, { mode: folderMode() });
      return folder;
    },
    removeDead: async () => {
      for (const id of await readdir(root)) {
        if (!(await isAlive(id))) await rm(join(root, id), { recursive: true, force: true });
      }
    },
    [Symbol.asyncDispose]: () => rm(own, { recursive: true, force: true }),
  };
}
