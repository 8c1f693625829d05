import { chmod, mkdir, open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { fileMode, folderMode } from "../config/file-modes.ts";
import { DriverError } from "../errors/driver-error.ts";

/** Makes what a file holds safe against a power cut. */
export async function syncFile(path: string): Promise<void> {
  await using file = await open(path, "r");
  await file.sync();
}

/** Makes the names in a folder safe against a power cut; on Linux and macOS a folder is opened like a file. */
export const syncFolder = syncFile;

/** Syncs a file and takes away the right to write it: a published segment never changes. */
export async function sealFile(path: string): Promise<void> {
  await syncFile(path);
  await chmod(path, 0o444);
}

/** Writes a new file, safe against a power cut. */
export async function writeNewFile(path: string, text: string): Promise<void> {
  await using file = await open(path, "wx", fileMode());
  await file.writeFile(text);
  await file.sync();
}

export async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isCode(error, "ENOENT") || isCode(error, "ENOTDIR")) return [];
    throw error;
  }
}

export async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: folderMode() });
}

/** Bytes of all files below a folder, each counted once however many names it has, here and in whatever else has counted into `seen`. What vanishes meanwhile counts nothing. */
export async function folderBytes(folder: string, seen = new Set<number>()): Promise<number> {
  let bytes = 0;
  for (const name of await namesIn(folder)) {
    const path = join(folder, name);
    const found = await stat(path).catch(() => undefined);
    if (found?.isDirectory()) bytes += await folderBytes(path, seen);
    else if (found !== undefined && !seen.has(found.ino)) {
      if (found.nlink > 1) seen.add(found.ino);
      bytes += found.size;
    }
  }
  return bytes;
}

export function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

const full = ["ENOSPC", "EDQUOT", "EFBIG"];
const unusable = ["EACCES", "EPERM", "EROFS", "EMFILE", "ENFILE"];

/** Says in the catalogue's words what the file system has refused; anything else comes back as it is. */
export function asStorageError(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof DriverError) return error;
  if (full.some((code) => isCode(error, code)) || /no space left on device|disk quota exceeded/i.test(error.message)) {
    return new DriverError("DISK_FULL", "no space is left in the data directory", { cause: error });
  }
  const code = unusable.find((each) => isCode(error, each));
  if (code !== undefined) {
    // Where it lies is for the log, not for callers.
    return new DriverError("DATA_DIRECTORY_UNUSABLE", `the data directory can't be written: ${code}`, { cause: error });
  }
  return error;
}
