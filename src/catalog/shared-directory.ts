import type { Stats } from "node:fs";
import { chmod, chown, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { DriverError } from "../errors/driver-error.ts";

/** Read, write and enter for the group, and handed down to what is made inside. */
const GROUP_FOLDER = 0o2070;
const GROUP_FILE = 0o060;
const GROUP_SECRET = 0o040;
const OTHERS_WRITE = 0o002;
/** Clients make these, too, and may do so before a driver has said how they must be. */
const CLIENTS_FOLDERS = new Set(["drivers", "logs"]);
/** Who shares them must not change them. */
const SECRET_FILES = new Set(["token", "secrets.key"]);
/** Only an administrator writes it. */
const PROFILES = "profiles";

/**
 * Makes sure that every driver of the data directory's group can work in it. Answers the group's id. Throws
 * DATA_DIRECTORY_UNUSABLE with what an administrator has to do.
 */
export async function prepareSharedDirectory(path: string): Promise<number> {
  const root = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT")
      throw unusable(path, "is not there: make it with the group that shares it and mode 2770");
    throw unusable(path, `can't be looked at: ${error.message}`);
  });
  if (!isShared(root, root.gid)) {
    throw unusable(path, `has mode ${octal(root)}: give it the group that shares it and mode 2770 (chmod 2770)`);
  }
  if ((root.mode & OTHERS_WRITE) !== 0) throw unusable(path, `has mode ${octal(root)}: everybody may write it`);
  const unshared: string[] = [];
  for (const name of await readdir(path)) {
    if (name !== PROFILES && !(await prepareEntry(path, name, root.gid))) unshared.push(name);
  }
  if (unshared.length === 0) return root.gid;
  const names = unshared.map(quoted).join(" ");
  throw unusable(
    path,
    `holds what a driver made that did not share it (${names}). Stop all drivers, then: cd ${quoted(path)} && ` +
      `chgrp -R ${root.gid} ${names} && chmod -R g+rwX,o= ${names} && find ${names} -type d -exec chmod g+s {} +`,
  );
}

/** Answers whether the group can work with it. */
async function prepareEntry(path: string, name: string, gid: number): Promise<boolean> {
  const entry = join(path, name);
  const found = await stat(entry).catch(gone);
  if (found === undefined || isShared(found, gid, SECRET_FILES.has(name) ? GROUP_SECRET : GROUP_FILE)) return true;
  if (!CLIENTS_FOLDERS.has(name) || !found.isDirectory() || !isOwn(found)) return false;
  await shareFolder(entry, gid);
  return true;
}

async function shareFolder(folder: string, gid: number): Promise<void> {
  await chown(folder, -1, gid);
  await chmod(folder, 0o2770);
  for (const name of await readdir(folder)) {
    const file = join(folder, name);
    const found = await stat(file).catch(gone);
    if (found === undefined || isShared(found, gid) || !isOwn(found)) continue;
    if (found.isDirectory()) await shareFolder(file, gid);
    else {
      await chown(file, -1, gid);
      await chmod(file, 0o660);
    }
  }
}

function isShared(found: Stats, gid: number, file = GROUP_FILE): boolean {
  const needed = found.isDirectory() ? GROUP_FOLDER : file;
  return found.gid === gid && (found.mode & needed) === needed;
}

function isOwn({ uid }: Stats): boolean {
  return uid === process.getuid?.();
}

/** As a word of a shell. */
function quoted(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

function octal({ mode }: Stats): string {
  return (mode & 0o7777).toString(8).padStart(4, "0");
}

function gone(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
}

function unusable(path: string, why: string): DriverError {
  return new DriverError("DATA_DIRECTORY_UNUSABLE", `share = "group": ${path} ${why}`, { metadata: { path } });
}
