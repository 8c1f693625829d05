import { chmod, mkdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";

/** What a client may make in a data directory, with the modes that its drivers will want. */
export interface DirectoryModes {
  readonly folder: number;
  readonly file: number;
}

const own: DirectoryModes = { folder: 0o700, file: 0o600 };
const shared: DirectoryModes = { folder: 0o2770, file: 0o660 };

/** Makes the folder `names` in the data directory, and that itself. */
export async function makeFolder(dataDirectory: string, ...names: readonly string[]): Promise<string> {
  await makeWithParents(dataDirectory);
  const { folder } = await modesOf(dataDirectory);
  let path = dataDirectory;
  for (const name of names) {
    path = join(path, name);
    // What a mask takes away, and the bit that hands the group on, are no matter of `mkdir`.
    if (await make(path, folder)) await chmod(path, folder);
  }
  return path;
}

/** A directory that hands its group on and lets it write is one that a profile with `share = "group"` works in. */
export async function modesOf(dataDirectory: string): Promise<DirectoryModes> {
  const mode = await stat(dataDirectory).then(
    (stats) => stats.mode,
    () => 0,
  );
  return (mode & 0o2070) === 0o2070 ? shared : own;
}

/** Not by the option `recursive`: where the system allows no folder at all, as in /proc, that tries for ever. */
async function makeWithParents(path: string): Promise<void> {
  try {
    await make(path, own.folder);
  } catch (error) {
    const parent = dirname(path);
    if ((error as NodeJS.ErrnoException).code !== "ENOENT" || parent === path) throw error;
    await makeWithParents(parent);
    await make(path, own.folder);
  }
}

/** Whether it was not there before. */
async function make(path: string, mode: number): Promise<boolean> {
  try {
    await mkdir(path, mode);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST" && (await isFolder(path))) return false;
    throw error;
  }
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
}
