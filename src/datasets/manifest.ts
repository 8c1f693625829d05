import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { DriverError } from "../errors/driver-error.ts";
import { isCode } from "./files.ts";
import { MANIFEST_FILE } from "./layout.ts";
import type { VersionManifest } from "./model.ts";

/** What a manifest says beside the version: enough to find the dataset again without the catalog. */
export interface ManifestOwner {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly createTime: string;
}

export interface StoredManifest {
  readonly manifest: VersionManifest;
  readonly owner: ManifestOwner;
}

const FORMAT_VERSION = 1;

export function formatManifest({ manifest, owner }: StoredManifest): string {
  return `${JSON.stringify({ ...manifest, dataset: owner })}\n`;
}

/** Reads the manifest of a version's folder. Throws VERSION_DAMAGED, or DATA_DIRECTORY_NEWER for a later format. */
export async function readManifest(folder: string): Promise<StoredManifest> {
  const path = join(folder, MANIFEST_FILE);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (isCode(error, "ENOENT") || isCode(error, "EISDIR")) throw damaged(`${path} is missing`, error);
    throw damaged(`${path} can't be read`, error);
  }
  return parseManifest(text, path);
}

function parseManifest(text: string, path: string): StoredManifest {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw damaged(`${path} is no JSON`, error);
  }
  if (typeof json !== "object" || json === null || !("formatVersion" in json)) throw damaged(`${path} is no manifest`);
  if (typeof json.formatVersion === "number" && json.formatVersion > FORMAT_VERSION) {
    throw new DriverError(
      "DATA_DIRECTORY_NEWER",
      `${path} has format ${json.formatVersion}; this driver knows ${FORMAT_VERSION} at most`,
      { metadata: { path, format: String(json.formatVersion), known: String(FORMAT_VERSION) } },
    );
  }
  if (!isStored(json)) throw damaged(`${path} is no whole manifest`);
  const { dataset, ...manifest } = json;
  return { manifest, owner: dataset };
}

/** Compares the segments on disk with what the manifest says of them. Throws VERSION_DAMAGED. */
export async function checkSegments(folder: string, manifest: VersionManifest): Promise<void> {
  await Promise.all(
    manifest.segments.map(async ({ file, bytes }) => {
      const path = join(folder, file);
      const found = await stat(path).catch((error) => {
        throw damaged(`${path} is missing`, error);
      });
      if (found.size !== bytes) throw damaged(`${path} has ${found.size} bytes, not ${bytes}`);
    }),
  );
}

function damaged(message: string, cause?: unknown): DriverError {
  return new DriverError("VERSION_DAMAGED", message, { cause });
}

// A folder is only ever published whole, so what fits half was altered from outside. A segment's name is used as a path.
function isStored(json: object): json is VersionManifest & { readonly dataset: ManifestOwner } {
  const { formatVersion, number, createTime, columns, segments, rows, bytes, warnings, lineage, dataset } =
    json as Partial<Record<keyof VersionManifest | "dataset", unknown>>;
  return (
    formatVersion === FORMAT_VERSION &&
    isCount(number) &&
    typeof createTime === "string" &&
    isListOf(columns, ({ name, type, kind }) => [name, type, kind].every((text) => typeof text === "string")) &&
    isListOf(segments, (segment) => isFileName(segment.file) && isCount(segment.rows) && isCount(segment.bytes)) &&
    isCount(rows) &&
    isCount(bytes) &&
    Array.isArray(warnings) &&
    isObject(lineage) &&
    isObject(dataset) &&
    typeof dataset.name === "string" &&
    typeof dataset.createTime === "string" &&
    isObject(dataset.labels)
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function isListOf(value: unknown, test: (item: Record<string, unknown>) => boolean): boolean {
  return Array.isArray(value) && value.every((item) => isObject(item) && test(item));
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isFileName(value: unknown): boolean {
  return typeof value === "string" && /^[^/\\\0]+$/.test(value) && value !== "." && value !== "..";
}
