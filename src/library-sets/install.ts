import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileMode, folderMode } from "../config/file-modes.ts";
import { DriverError } from "../errors/driver-error.ts";
import { checkTarballs } from "./check-tarballs.ts";
import { type FolderRegistry, openFolderRegistry } from "./folder-registry.ts";
import { installedPackages } from "./installed-packages.ts";
import { LOCK_FILE } from "./layout.ts";
import { type Lockfile, readLockfile, rootManifest } from "./lockfile.ts";
import type { InstallOptions, LibraryPackage, LibrarySetDraft } from "./model.ts";
import { Npm } from "./npm/npm.ts";
import { checkPackages } from "./package-version.ts";

/** What npm has put into a folder. */
export interface Installed {
  readonly lockfile: Lockfile;
  readonly packages: readonly LibraryPackage[];
  readonly platform: string | undefined;
}

export interface InstallParts extends InstallOptions {
  /** Empty; gets `package-lock.json` and `node_modules`. */
  readonly folder: string;
  /** For what npm and scripts need meanwhile. */
  readonly workFolder: string;
  /** The driver's `librarySets.registry` setting; empty for npm's own configuration. */
  readonly registry: string;
  readonly environment: NodeJS.ProcessEnv;
}

/** Resolves and fetches what a draft asks for, checks it, and runs the scripts that may run. */
export async function install(draft: LibrarySetDraft, parts: InstallParts): Promise<Installed> {
  const { folder, workFolder, signal, environment } = parts;
  checkPackages(draft.packages);
  await using registry =
    draft.origin.type === "folder" ? await openFolderRegistry(draft.origin.path, parts) : undefined;
  await mkdir(workFolder, { recursive: true, mode: folderMode() });
  const npm = await Npm.open({
    ...{ folder, workFolder, signal, environment },
    registry: registry?.url ?? registryOf(draft, parts.registry),
    alone: registry !== undefined,
  });
  const progress = progressOf(parts);
  progress("resolving", 0, 0);
  const resolve = () => resolved(draft, parts, npm);
  const lockfile = draft.lockfile === undefined ? await told(registry, resolve) : givenLockfile(draft);
  const scripts = scriptedPackages(draft, lockfile);
  await writeInputs(folder, lockfile);
  const total = lockfile.packages.length;
  progress("fetching", 0, total);
  const fetch = () => npm.fetch((fetched) => progress("fetching", Math.min(fetched, total), total));
  await told(registry, fetch).catch((error) => {
    throw withPackage(error, lockfile);
  });
  progress("checking", total, total);
  await checkTarballs(await npm.cacheFolder(), lockfile.packages, { signal, folder });
  if (scripts.length > 0) {
    progress("scripts", total, total);
    await npm.runScripts(scripts);
  }
  await tidy(folder);
  const packages = await installedPackages(folder, lockfile.packages, {
    asked: lockfile.asked,
    scripted: new Set(scripts),
  });
  const bound = scripts.length > 0 || lockfile.packages.some(({ platformBound }) => platformBound);
  return { lockfile, packages, platform: bound ? `${process.platform}-${process.arch}` : undefined };
}

function registryOf({ origin }: LibrarySetDraft, setting: string): string | undefined {
  const url = (origin.type === "registry" ? origin.url : undefined) ?? setting;
  return url === "" ? undefined : url;
}

function progressOf({ onProgress }: InstallOptions) {
  return (phase: "resolving" | "fetching" | "checking" | "scripts", packages: number, totalPackages: number) =>
    onProgress?.({ phase, packages, totalPackages });
}

async function resolved({ packages }: LibrarySetDraft, { folder }: InstallParts, npm: Npm): Promise<Lockfile> {
  if (packages.length === 0) throw new DriverError("INVALID_LIBRARY_SET", "no package is named, and no lockfile given");
  await writeFile(join(folder, "package.json"), rootManifest(packages), { mode: fileMode() });
  await npm.resolve();
  return readLockfile(await readFile(join(folder, LOCK_FILE), "utf8"));
}

function givenLockfile({ lockfile = "", packages }: LibrarySetDraft): Lockfile {
  const read = readLockfile(lockfile);
  const locked = new Map(read.asked.map(({ name, version }) => [name, version]));
  for (const { name, version } of packages) {
    if (locked.get(name) === version) continue;
    throw new DriverError(
      "INVALID_LIBRARY_SET",
      `the lockfile has ${locked.get(name) ?? "no"} ${name}, not ${version}`,
      {
        metadata: { package: name, version },
      },
    );
  }
  return read;
}

function scriptedPackages({ allowScripts }: LibrarySetDraft, { packages }: Lockfile): readonly string[] {
  const names = [...new Set(allowScripts)].sort();
  for (const name of names) {
    const found = packages.filter((each) => each.name === name);
    if (found.some(({ hasInstallScript }) => hasInstallScript)) continue;
    const why = found.length === 0 ? "is not in the set" : "has no install scripts";
    throw new DriverError("INVALID_LIBRARY_SET", `scripts of ${name} are allowed, which ${why}`, {
      metadata: { package: name },
    });
  }
  return names;
}

async function writeInputs(folder: string, { asked, text }: Lockfile): Promise<void> {
  await writeFile(join(folder, "package.json"), rootManifest(asked), { mode: fileMode() });
  await writeFile(join(folder, LOCK_FILE), text, { mode: fileMode() });
}

/** What npm keeps for its next run, and shortcuts to programs; a set has neither. */
async function tidy(folder: string): Promise<void> {
  await rm(join(folder, "package.json"), { force: true });
  const below = await readdir(folder, { recursive: true, withFileTypes: true });
  for (const { name, parentPath } of below) {
    const isNpms = name === ".bin" || name === ".package-lock.json";
    if (isNpms && parentPath.endsWith("node_modules"))
      await rm(join(parentPath, name), { recursive: true, force: true });
  }
}

/** npm tells of bytes that are wrong by the hash that they should have. */
function withPackage(error: unknown, { packages }: Lockfile): unknown {
  if (!(error instanceof DriverError) || error.reason !== "PACKAGE_DAMAGED") return error;
  const found = packages.find(({ integrity = " " }) => error.message.includes(integrity));
  if (found === undefined) return error;
  const { name, version, integrity = "" } = found;
  return new DriverError("PACKAGE_DAMAGED", `${name}@${version} does not have the hash ${integrity}`, {
    metadata: { ...error.metadata, package: name, version },
  });
}

/** Says which versions a folder has, where it misses one. */
async function told<T>(registry: FolderRegistry | undefined, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw registry === undefined ? error : withVersions(error, registry);
  }
}

function withVersions(error: unknown, { versions }: FolderRegistry): unknown {
  if (!(error instanceof DriverError)) return error;
  const { package: name = "" } = error.metadata;
  if (error.reason === "PACKAGE_NOT_FOUND" && name !== "")
    return new DriverError("PACKAGE_NOT_FOUND", `the folder has no package ${name}`, { metadata: error.metadata });
  const present = versions.get(name)?.join(", ");
  if (error.reason !== "PACKAGE_VERSION_NOT_FOUND" || present === undefined) return error;
  return new DriverError(error.reason, `${error.message} The folder has ${present}.`, {
    metadata: { ...error.metadata, versions: present },
  });
}
