import { readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { DriverError } from "../errors/driver-error.ts";
import { isCode, makeFolder, namesIn, sealFile, syncFolder, writeNewFile } from "./files.ts";
import {
  datasetFolder,
  datasetsFolder,
  MANIFEST_FILE,
  versionFolder,
  versionNumber,
  versionsFolder,
} from "./layout.ts";
import { formatManifest, type ManifestOwner, type StoredManifest } from "./manifest.ts";
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

/**
 * Publishes a sealed folder as the next version by renaming it, manifest and all: either the whole version is there or
 * nothing is, at whatever moment the process or the machine stops. Answers the manifest.
 */
export async function publishFolder(
  dataDirectory: string,
  uid: string,
  { folder, content, owner }: { folder: string; content: VersionContent; owner: ManifestOwner },
): Promise<StoredManifest> {
  const versions = versionsFolder(dataDirectory, uid);
  await makeFolder(versions);
  await syncFolder(datasetsFolder(dataDirectory));
  await syncFolder(datasetFolder(dataDirectory, uid));
  for (let number = await nextNumber(versions); ; number++) {
    const stored = { manifest: makeManifest(content, number), owner };
    const manifestPath = join(folder, MANIFEST_FILE);
    await writeNewFile(manifestPath, formatManifest(stored));
    await syncFolder(folder);
    try {
      await rename(folder, versionFolder(dataDirectory, uid, number));
    } catch (error) {
      // Another driver process was faster with this number.
      if (!isCode(error, "ENOTEMPTY") && !isCode(error, "EEXIST")) throw error;
      await rm(manifestPath);
      continue;
    }
    await syncFolder(versions);
    return stored;
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
