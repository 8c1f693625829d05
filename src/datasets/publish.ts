import { readdir, rename, rm, rmdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { DatasetCatalog, DatasetRecord } from "../catalog/datasets.ts";
import { DriverError } from "../errors/driver-error.ts";
import { type Appends, carriedAppends } from "./appends.ts";
import { claimName } from "./claim-name.ts";
import { isCode, makeFolder, namesIn, sealFile, syncFolder, writeNewFile } from "./files.ts";
import { isKept } from "./kept-segments.ts";
import {
  datasetFolder,
  datasetsFolder,
  MANIFEST_FILE,
  versionFolder,
  versionNumber,
  versionsFolder,
} from "./layout.ts";
import { formatManifest, type StoredManifest } from "./manifest.ts";
import type { PublishOptions, VersionContent, VersionManifest } from "./model.ts";

/** Makes a staged folder's segments safe and read-only, and removes what is none. */
export async function sealSegments(folder: string, content: VersionContent): Promise<void> {
  const listed = new Map(content.segments.map((segment) => [segment.file, segment]));
  for (const name of await readdir(folder)) {
    if (!listed.has(name)) await rm(join(folder, name), { recursive: true });
  }
  for (const { file, bytes } of listed.values()) {
    const path = join(folder, file);
    const { size } = await stat(path);
    if (size !== bytes) throw new DriverError("INTERNAL", `${path} has ${size} bytes, not ${bytes} as the load says`);
    // Those have been safe since another version was published with them, and may belong to another user.
    if (!isKept(file)) await sealFile(path);
  }
}

export interface PublishParts {
  readonly dataDirectory: string;
  readonly catalog: DatasetCatalog;
}

export interface PublishRequest extends PublishOptions {
  readonly name: string;
  /** Sealed. */
  readonly folder: string;
  readonly content: VersionContent;
  /** Replace the dataset's labels if there are any. */
  readonly labels: Readonly<Record<string, string>>;
}

export interface Published {
  readonly record: DatasetRecord;
  readonly stored: StoredManifest;
  /** Whether the catalog could be told, and so the other processes. */
  readonly told: boolean;
}

/**
 * Publishes a sealed folder as the dataset's next version by renaming it, manifest and all: either the whole version is there
 * or nothing is, at whatever moment the process or the machine stops. Throws NAME_CONFLICT, VERSION_CONFLICT.
 */
export async function publishFolder(parts: PublishParts, request: PublishRequest): Promise<Published> {
  for (;;) {
    const published = await tryPublish(parts, request);
    if (published !== undefined) return published;
  }
}

/** Answers undefined where another process was faster: it has published the same number, or deleted the dataset. */
async function tryPublish(
  { dataDirectory, catalog }: PublishParts,
  { name, folder, content, labels, basedOn, append }: PublishRequest,
): Promise<Published | undefined> {
  const record = await claimName({ dataDirectory, catalog, name, labels });
  const { uid } = record;
  const versions = versionsFolder(dataDirectory, uid);
  await makeFolder(versions);
  await syncFolder(datasetsFolder(dataDirectory));
  await syncFolder(datasetFolder(dataDirectory, uid));
  const present = await newestPresent(versions);
  // No number ever comes again, not even that of a version whose folder is lost.
  const number = Math.max(record.newestVersion ?? 0, present) + 1;
  if (basedOn !== undefined && !isCurrent(basedOn, uid, basedOn === "nothing" ? present : number - 1)) {
    await removeIfEmpty(dataDirectory, uid);
    throw conflict(name, basedOn);
  }
  const owner = { name, labels: record.labels, createTime: record.createTime.toISOString() };
  // Nobody else publishes between these two numbers, so nothing that appends have written down is lost.
  const appends = await carriedAppends(versionFolder(dataDirectory, uid, present), append);
  const stored = { manifest: makeManifest(content, number, appends), owner };
  const manifestPath = join(folder, MANIFEST_FILE);
  await writeNewFile(manifestPath, formatManifest(stored));
  await syncFolder(folder);
  let done = false;
  let told = true;
  try {
    // Nobody deletes the dataset meanwhile, and whoever hears of the change finds the version.
    await catalog.atomically(async (tables) => {
      const now = await tables.find(uid);
      // Its folder may be gone already, and with it what would have stood in the way of the rename.
      if (now === undefined || (now.newestVersion ?? 0) >= number) return;
      await tables.touch(uid);
      done = await renameNew(folder, versionFolder(dataDirectory, uid, number));
      if (done) await tables.published(uid, { version: number, lineage: JSON.stringify(content.lineage) });
    });
  } catch (error) {
    // What is published stays published.
    if (!done) throw error;
    told = false;
  }
  if (!done) {
    await rm(manifestPath);
    await removeIfEmpty(dataDirectory, uid);
    return undefined;
  }
  await syncFolder(versions);
  return { record: { ...record, newestVersion: number }, stored, told };
}

/** Of a dataset that was deleted meanwhile nothing shall be left. */
async function removeIfEmpty(dataDirectory: string, uid: string): Promise<void> {
  for (const empty of [versionsFolder(dataDirectory, uid), datasetFolder(dataDirectory, uid)]) {
    await rmdir(empty).catch(() => undefined);
  }
}

function isCurrent(basedOn: Exclude<PublishOptions["basedOn"], undefined>, uid: string, current: number): boolean {
  return basedOn === "nothing" ? current === 0 : basedOn.uid === uid && basedOn.number === current;
}

function conflict(dataset: string, basedOn: Exclude<PublishOptions["basedOn"], undefined>): DriverError {
  const version = basedOn === "nothing" ? 0 : basedOn.number;
  const message =
    version === 0
      ? `there is a dataset "${dataset}" by now`
      : `version ${version} of "${dataset}" is no longer the current one`;
  return new DriverError("VERSION_CONFLICT", message, { metadata: { dataset, version: String(version) } });
}

/** Answers false where the name is taken. */
async function renameNew(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (isCode(error, "ENOTEMPTY") || isCode(error, "EEXIST")) return false;
    throw error;
  }
}

async function newestPresent(versions: string): Promise<number> {
  return Math.max(0, ...(await namesIn(versions)).map((name) => versionNumber(name) ?? 0));
}

function makeManifest(content: VersionContent, number: number, appends: Appends): VersionManifest {
  const { columns, segments, rows, bytes, sourceBytes, lineage, warnings, rejectedRows } = content;
  const createTime = new Date().toISOString();
  return {
    formatVersion: 1,
    number,
    createTime,
    columns,
    segments,
    rows,
    bytes,
    sourceBytes,
    lineage,
    warnings,
    rejectedRows,
    ...(Object.keys(appends).length > 0 && { appends }),
  };
}
