import { constants } from "node:fs";
import { access, glob, lstat, open, realpath, stat } from "node:fs/promises";
import { isAbsolute, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import type { FileOrigin } from "../engine/file-scan.ts";
import { DriverError } from "../errors/driver-error.ts";
import { errorFromJson } from "../errors/error-json.ts";
import type { Source, SourceContext } from "./connector.ts";
import { fetchSource } from "./http/fetch-source.ts";
import { isHttp } from "./http/options.ts";
import { isBelow, requireAllowed, requireAllowedFolder } from "./path-roots.ts";
import { shownUri } from "./shown-uri.ts";

const MAX_FILES = 10_000;

/**
 * Finds the files of a path or glob, sorted by name, with their links resolved and their state noted. A file at an http(s) URL is fetched
 * first, or only `beginningBytes` of it.
 */
export async function findFiles(
  source: Source,
  context: SourceContext,
  options: { readonly beginningBytes?: number | undefined } = {},
): Promise<readonly FileOrigin[]> {
  if (isHttp(source.uri)) return [await fetchSource(source, context, options.beginningBytes)];
  const found = source.handed?.found;
  if (found !== undefined && "error" in found) throw errorFromJson(found.error);
  if (found !== undefined) return found.files;
  return findLocalFiles(source, context);
}

/** The same for files of this machine. */
export async function findLocalFiles(
  { uri, roots, shownAs }: Pick<Source, "uri" | "roots" | "shownAs">,
  context: Pick<SourceContext, "fileRoots" | "reserved" | "signal">,
): Promise<readonly FileOrigin[]> {
  const { signal } = context;
  const fileRoots = roots ?? context.fileRoots;
  const path = pathOf(uri);
  const pattern = /[*?[{]/.test(path) && !(await exists(path));
  await requireAllowedFolder(pattern ? path.slice(0, path.search(/[*?[{]/)) : path, uri, fileRoots);
  const found = pattern ? await expand(path, uri, signal) : [path];
  const origins: FileOrigin[] = [];
  for (const file of found) {
    signal.throwIfAborted();
    // What the driver itself has resolved may be its own: an upload.
    const origin = await originOf(file, { fileRoots, reserved: roots === undefined ? (context.reserved ?? []) : [] });
    origins.push(shownAs === undefined ? origin : { ...origin, shownAs });
  }
  return origins;
}

/** Throws SOURCE_CHANGED when a file is not what it was: another size, time or file. */
export async function requireUnchanged(
  origins: readonly FileOrigin[],
  { signal }: { signal: AbortSignal },
): Promise<void> {
  for (const origin of origins) {
    signal.throwIfAborted();
    const now = await stat(origin.path, { bigint: true }).catch(() => undefined);
    const same = now?.size === BigInt(origin.bytes) && now.mtimeNs === origin.modifiedNs && now.ino === origin.inode;
    if (!same)
      throw new DriverError("SOURCE_CHANGED", `${shownName(origin)} changed while it was read`, {
        metadata: { file: shownName(origin) },
      });
  }
}

/** What people call a file. */
export function shownName({ path, shownAs }: FileOrigin): string {
  return shownAs ?? path;
}

function pathOf(uri: string): string {
  const invalid = (why: string) =>
    new DriverError("INVALID_SOURCE", `${JSON.stringify(shownUri(uri))}: ${why}`, { metadata: { uri: shownUri(uri) } });
  if (uri.includes("\0")) throw invalid("a path holds no character U+0000");
  if (/^file:/i.test(uri)) {
    try {
      return fileURLToPath(uri);
    } catch (error) {
      throw invalid(`not a file URI of this machine (${(error as Error).message})`);
    }
  }
  if (/^[a-z][a-z0-9+.-]+:/i.test(uri)) throw invalid("only files of the driver's machine can be loaded");
  if (!isAbsolute(uri)) throw invalid("the path must be absolute, since the driver has a working folder of its own");
  return normalize(uri);
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

async function expand(pattern: string, uri: string, signal: AbortSignal): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const entry of glob(pattern, { withFileTypes: true })) {
    signal.throwIfAborted();
    if (entry.isDirectory()) continue;
    found.push(`${entry.parentPath}/${entry.name}`);
    if (found.length > MAX_FILES)
      throw new DriverError("INVALID_SOURCE", `${JSON.stringify(uri)} matches more than ${MAX_FILES} files`, {
        metadata: { uri },
      });
  }
  if (found.length === 0)
    throw new DriverError("SOURCE_NOT_FOUND", `${JSON.stringify(uri)} matches no file`, { metadata: { uri } });
  // By code units, not by a locale: the same on every machine.
  return found.map((file) => normalize(file)).sort();
}

interface Allowed {
  readonly fileRoots: readonly string[] | undefined;
  readonly reserved: readonly string[];
}

async function originOf(file: string, { fileRoots, reserved }: Allowed): Promise<FileOrigin> {
  try {
    const path = await realpath(file);
    requireAllowed(path, file, fileRoots);
    if (reserved.some((own) => isBelow(path, own)))
      throw new DriverError("PATH_NOT_ALLOWED", `${file} belongs to the driver itself`, { metadata: { path: file } });
    const state = await stat(path, { bigint: true });
    if (state.isDirectory()) throw new DriverError("SOURCE_IS_FOLDER", `${file} is a folder`, { metadata: { file } });
    if (!state.isFile())
      throw new DriverError("SOURCE_UNREADABLE", `${file} is no regular file`, { metadata: { file } });
    await access(path, constants.R_OK);
    const handle = await open(path, "r");
    await handle.close();
    return { path, bytes: Number(state.size), modifiedNs: state.mtimeNs, inode: state.ino };
  } catch (error) {
    throw accessError(file, error);
  }
}

function accessError(file: string, error: unknown): DriverError {
  if (error instanceof DriverError) return error;
  const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
  if (code === "ENOENT" || code === "ENOTDIR")
    return new DriverError("SOURCE_NOT_FOUND", `there is no file ${file}`, { metadata: { file }, cause: error });
  return new DriverError("SOURCE_UNREADABLE", `${file} can't be read: ${code}`, { metadata: { file }, cause: error });
}
