import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { DriverError } from "../errors/driver-error.ts";
import { canonicalJson } from "../operations/identity.ts";
import { installedPackages } from "./installed-packages.ts";
import { LOCK_FILE } from "./layout.ts";
import { readLockfile } from "./lockfile.ts";
import type { LibrarySetManifest } from "./model.ts";

/**
 * Whether an archive's manifest says of its packages what its lockfile and the packages themselves say: versions, hashes, licences. What
 * it says of its files was compared when they were unpacked. Throws INVALID_ARCHIVE.
 */
export async function checkUnpacked(folder: string, manifest: LibrarySetManifest): Promise<void> {
  const { asked, packages, files, platform } = manifest;
  if (!files.some(({ path }) => path === LOCK_FILE)) throw invalid(`it has no ${LOCK_FILE}`);
  const ran = packages.filter(({ scripts }) => scripts === "ran").map(({ name }) => name);
  const lockfile = readLockfileOf(await readFile(join(folder, LOCK_FILE), "utf8"));
  const found = await installedPackages(folder, lockfile.packages, {
    asked: lockfile.asked,
    scripted: new Set(ran),
  }).catch((error: unknown) => {
    throw error instanceof DriverError ? invalid(error.message, error) : error;
  });
  requireAlike("asked", asked, lockfile.asked);
  for (const [index, each] of found.entries()) requireAlike(`packages[${index}]`, packages[index], each);
  requireAlike("packages", packages.length, found.length);
  // Scripts may leave files anywhere.
  const folders = new Set(found.map(({ path }) => path));
  const stray = ran.length > 0 ? undefined : files.find(({ path }) => path !== LOCK_FILE && !isBelow(path, folders));
  if (stray !== undefined) throw invalid(`${JSON.stringify(stray.path)} belongs to no package`);
  if (platform === undefined && (ran.length > 0 || lockfile.packages.some(({ platformBound }) => platformBound)))
    throw invalid("it does not say which system it was made for");
}

/** Whether its packages offer what its manifest says. Throws INVALID_ARCHIVE. */
export function checkOffered(
  manifest: LibrarySetManifest,
  found: Pick<LibrarySetManifest, "connectors" | "parsers">,
): void {
  requireAlike("connectors", manifest.connectors, found.connectors);
  requireAlike("parsers", manifest.parsers, found.parsers);
}

function readLockfileOf(text: string): ReturnType<typeof readLockfile> {
  try {
    return readLockfile(text);
  } catch (error) {
    throw error instanceof DriverError ? invalid(error.message, error) : error;
  }
}

function isBelow(path: string, folders: ReadonlySet<string>): boolean {
  for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1))
    if (folders.has(path.slice(0, at))) return true;
  return false;
}

function requireAlike(field: string, said: unknown, found: unknown): void {
  if (canonicalJson(said ?? null) === canonicalJson(found)) return;
  throw invalid(`its manifest's "${field}" is not what its packages and its lockfile say`);
}

function invalid(why: string, cause?: unknown): DriverError {
  return new DriverError("INVALID_ARCHIVE", `the archive can't be used: ${why}`, { cause });
}
