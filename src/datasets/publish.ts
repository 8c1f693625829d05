import { readdir, rename, rm, rmdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { DatasetCatalog, DatasetRecord } from "../catalog/datasets.ts";
import { DriverError } from "../errors/driver-error.ts";
import { claimName } from "./claim-name.ts";
import { isCode, makeFolder, namesIn, sealFile, syncFolder, writeNewFile } from "./files.ts";
import {
  datasetFolder,
  datasetsFolder,
  MANIFEST_FILE,
  versionFolder,
  versionNumber,
  versionsFolder,
} from "./layout.ts";
import { formatManifest, type StoredManifest } from "./manifest.ts";
import type { VersionManifest } from "./model.ts";

export type VersionContent = Omit<VersionManifest, "formatVersion" | "number" | "createTime">;

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
    await sealFile(path);
  }
}

export interface PublishParts {
  readonly dataDirectory: string;
  readonly catalog: DatasetCatalog;
}

export interface PublishRequest {
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
 * or nothing is, at whatever moment the process or the machine stops. Throws NAME_CONFLICT.
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
  { name, folder, content, labels }: PublishRequest,
): Promise<Published | undefined> {
  const record = await claimName({ dataDirectory, catalog, name, labels });
  const { uid } = record;
  const versions = versionsFolder(dataDirectory, uid);
  await makeFolder(versions);
  await syncFolder(datasetsFolder(dataDirectory));
  await syncFolder(datasetFolder(dataDirectory, uid));
  const number = await nextNumber(versions);
  const owner = { name, labels: record.labels, createTime: record.createTime.toISOString() };
  const stored = { manifest: makeManifest(content, number), owner };
  const manifestPath = join(folder, MANIFEST_FILE);
  await writeNewFile(manifestPath, formatManifest(stored));
  await syncFolder(folder);
  let done = false;
  let told = true;
  try {
    // Nobody deletes the dataset meanwhile, and whoever hears of the change finds the version.
    await catalog.atomically(async (tables) => {
      if ((await tables.find(uid)) === undefined) return;
      await tables.touch(uid);
      done = await renameNew(folder, versionFolder(dataDirectory, uid, number));
    });
  } catch (error) {
    // What is published stays published.
    if (!done) throw error;
    told = false;
  }
  if (!done) {
    await rm(manifestPath);
    // Of a dataset that was deleted meanwhile nothing shall be left.
    for (const empty of [versions, datasetFolder(dataDirectory, uid)]) await rmdir(empty).catch(() => undefined);
    return undefined;
  }
  await syncFolder(versions);
  return { record, stored, told };
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

async function nextNumber(versions: string): Promise<number> {
  const numbers = (await namesIn(versions)).map((name) => versionNumber(name) ?? 0);
  return Math.max(0, ...numbers) + 1;
}

function makeManifest(content: VersionContent, number: number): VersionManifest {
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
  };
}
