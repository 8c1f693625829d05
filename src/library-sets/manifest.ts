import { createHash } from "node:crypto";
import { canonicalJson } from "../operations/identity.ts";
import { type LibrarySetManifest, MANIFEST_FORMAT, type SetFile } from "./model.ts";
import { isExactVersion, isPackageName } from "./package-version.ts";
import { isSafePath } from "./tar/safe-path.ts";

/** A set of 20,000 files takes 3 MB. */
export const MAX_MANIFEST_BYTES = 64 * 2 ** 20;

/** The text that is kept, whose hash is the set's. */
export function manifestText(manifest: LibrarySetManifest): string {
  return canonicalJson(manifest);
}

export function hashOf(text: string | Uint8Array): string {
  return createHash("sha256").update(text).digest("hex");
}

/** A manifest that can't be used. */
export class ManifestError extends Error {
  override name = "ManifestError";
}

type Json = { readonly [key: string]: unknown };

/** Reads a manifest, of this data directory or of an archive. Throws ManifestError. */
export function parseManifest(text: string): LibrarySetManifest {
  const manifest = parsed(text);
  if (typeof manifest.format === "number" && manifest.format > MANIFEST_FORMAT)
    throw new ManifestError(`it has the format ${manifest.format}; this driver knows ${MANIFEST_FORMAT}`);
  require(manifest.format === MANIFEST_FORMAT, "format");
  require(listOf(manifest.asked, isPackage), "asked");
  require(listOf(manifest.packages, isLibraryPackage), "packages");
  require(listOf(manifest.connectors, isConnector), "connectors");
  require(listOf(manifest.parsers, (item) => isPackageText(item.package) && isFilePath(item.module)), "parsers");
  require(listOf(manifest.files, isSetFile), "files");
  require(isSettings(manifest.settings), "settings");
  require(manifest.platform === undefined || typeof manifest.platform === "string", "platform");
  const files = manifest.files as readonly SetFile[];
  require(new Set(files.map(({ path }) => path)).size === files.length, "files");
  return manifest as unknown as LibrarySetManifest;
}

function parsed(text: string): Json {
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value)) return value;
  } catch {
    // Said below.
  }
  throw new ManifestError("its manifest is no JSON");
}

function require(right: boolean, field: string): void {
  if (!right) throw new ManifestError(`its manifest's "${field}" can't be read`);
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function listOf(value: unknown, isItem: (item: Json) => boolean): boolean {
  return Array.isArray(value) && value.every((item) => isObject(item) && isItem(item));
}

function isPackageText(value: unknown): boolean {
  return typeof value === "string" && isPackageName(value);
}

function isPackage({ name, version }: Json): boolean {
  return isPackageText(name) && typeof version === "string" && isExactVersion(version);
}

function isFilePath(value: unknown): boolean {
  return typeof value === "string" && isSafePath(value) && value.startsWith("node_modules/");
}

function isLibraryPackage(item: Json): boolean {
  const { path, integrity, license, engines, peerDependencies } = item;
  return (
    isPackage(item) &&
    isFilePath(path) &&
    [integrity, license].every((value) => value === undefined || typeof value === "string") &&
    [engines, peerDependencies].every((value) => value === undefined || isTexts(value)) &&
    typeof item.direct === "boolean" &&
    ["none", "skipped", "ran"].includes(String(item.scripts))
  );
}

function isConnector({ kind, module, descriptor, ...item }: Json): boolean {
  return (
    typeof kind === "string" &&
    isPackageText(item.package) &&
    Number.isInteger(item.interface) &&
    isFilePath(module) &&
    isObject(descriptor) &&
    descriptor.kind === kind &&
    isObject(descriptor.options)
  );
}

function isSetFile({ path, sha256, bytes }: Json): boolean {
  return (
    (path === "package-lock.json" || isFilePath(path)) &&
    typeof sha256 === "string" &&
    /^[0-9a-f]{64}$/.test(sha256) &&
    Number.isSafeInteger(bytes) &&
    Number(bytes) >= 0
  );
}

function isTexts(value: unknown): boolean {
  return isObject(value) && Object.values(value).every((text) => typeof text === "string");
}

function isSettings(value: unknown): boolean {
  return isObject(value) && Object.values(value).every(isTexts);
}
