import { randomUUID } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { folderMode } from "./file-modes.ts";

/**
 * Makes a new folder whose name begins so. Not by `mkdtemp`, which shuts out everybody else whatever the sharing: the drivers
 * of other users must be able to remove what a killed one has left.
 */
export async function makeOwnFolder(parent: string, prefix: string): Promise<string> {
  const folder = join(parent, `${prefix}${randomUUID()}`);
  await mkdir(folder, { mode: folderMode() });
  return folder;
}
