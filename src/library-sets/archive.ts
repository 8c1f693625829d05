import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { fileMode, folderMode } from "../config/file-modes.ts";
import { DriverError } from "../errors/driver-error.ts";
import { MANIFEST_FILE } from "./layout.ts";
import { hashOf, MAX_MANIFEST_BYTES, ManifestError, manifestText, parseManifest } from "./manifest.ts";
import type { LibrarySetManifest, SetFile } from "./model.ts";
import { gunzip, isGzipError } from "./tar/gunzip.ts";
import { readTar, type TarEntry, TarError } from "./tar/read-tar.ts";
import { type TarFile, writeTar } from "./tar/write-tar.ts";

const MAX_PIECE_BYTES = 256 * 1024;

/** An archive is a tar, made smaller by gzip: `HASH/set.json`, then the files that it names, below `HASH/` as in the data directory. */
export async function* writeArchive(
  folder: string,
  hash: string,
  { files }: Pick<LibrarySetManifest, "files">,
  { signal }: { readonly signal: AbortSignal },
): AsyncGenerator<Uint8Array, void, undefined> {
  const { size } = await stat(join(folder, MANIFEST_FILE));
  const wanted = [{ path: MANIFEST_FILE, bytes: size }, ...files];
  const gzip = createGzip();
  const feeding = pipeline(writeTar(tarFiles(folder, hash, wanted, signal)), gzip).catch(() => undefined);
  try {
    yield* gzip;
  } finally {
    gzip.destroy();
    await feeding;
  }
}

async function* tarFiles(
  folder: string,
  hash: string,
  files: readonly Pick<SetFile, "path" | "bytes">[],
  signal: AbortSignal,
): AsyncGenerator<TarFile, void, undefined> {
  for (const { path, bytes } of files) {
    // Most files are smaller than what a stream would make room for.
    const highWaterMark = Math.min(Math.max(bytes, 1), MAX_PIECE_BYTES);
    yield { path: `${hash}/${path}`, bytes, content: createReadStream(join(folder, path), { signal, highWaterMark }) };
  }
}

export interface UnpackOptions {
  readonly signal: AbortSignal;
  /** Told how much there will be, before anything is written. Throws where that is too much. */
  readonly onManifest: (manifest: LibrarySetManifest) => Promise<void>;
}

/**
 * Unpacks an archive into an empty folder, nothing but the files that its manifest names, each with its hash. Throws
 * INVALID_ARCHIVE.
 */
export async function readArchive(
  folder: string,
  archive: AsyncIterable<Uint8Array>,
  { signal, onManifest }: UnpackOptions,
): Promise<{ readonly hash: string; readonly manifest: LibrarySetManifest }> {
  try {
    let unpacking: Unpacking | undefined;
    for await (const entry of readTar(gunzip(archive, { signal }))) {
      signal.throwIfAborted();
      if (unpacking === undefined) {
        unpacking = await Unpacking.begin(folder, entry);
        await onManifest(unpacking.manifest);
      } else await unpacking.take(entry);
    }
    if (unpacking === undefined) throw invalid("it is empty");
    return unpacking.end();
  } catch (error) {
    if (error instanceof TarError || error instanceof ManifestError) throw invalid(error.message, error);
    throw isGzipError(error) ? invalid("it is damaged, or no archive", error) : error;
  }
}

class Unpacking {
  readonly #folder: string;
  readonly #hash: string;
  readonly #missing: Map<string, SetFile>;
  readonly manifest: LibrarySetManifest;
  #made = "";

  private constructor(folder: string, hash: string, manifest: LibrarySetManifest) {
    this.#folder = folder;
    this.#hash = hash;
    this.manifest = manifest;
    this.#missing = new Map(manifest.files.map((file) => [`${hash}/${file.path}`, file]));
  }

  static async begin(folder: string, entry: TarEntry): Promise<Unpacking> {
    const hash = /^([0-9a-f]{64})\/set\.json$/.exec(entry.path)?.[1];
    if (hash === undefined || entry.type !== "file") throw invalid("it does not begin with the set's manifest");
    if (entry.bytes > MAX_MANIFEST_BYTES) throw invalid("its manifest is too large");
    const bytes = await allOf(entry.content);
    if (hashOf(bytes) !== hash) throw invalid("its manifest does not have the hash that it is called by");
    const text = bytes.toString("utf8");
    const manifest = parseManifest(text);
    // Published, it is written anew.
    if (manifestText(manifest) !== text) throw invalid("its manifest is not written as a driver does");
    return new Unpacking(folder, hash, manifest);
  }

  async take({ path, type, bytes, content }: TarEntry): Promise<void> {
    const file = this.#missing.get(path);
    const shown = JSON.stringify(path);
    // Paths that leave the folder are in no manifest.
    if (file === undefined) throw invalid(`${shown} is not in its manifest, or twice in it`);
    if (type !== "file") throw invalid(`${shown} is no regular file`);
    if (bytes !== file.bytes) throw invalid(`${shown} has ${bytes} bytes, not ${file.bytes}`);
    const target = join(this.#folder, file.path);
    await this.#makeFolder(dirname(target));
    const hash = createHash("sha256");
    await using handle = await open(target, "wx", fileMode());
    for await (const piece of content) {
      hash.update(piece);
      await handle.write(piece);
    }
    if (hash.digest("hex") !== file.sha256) throw invalid(`${shown} does not have its hash`);
    this.#missing.delete(path);
  }

  /** Files of one folder follow each other. */
  async #makeFolder(path: string): Promise<void> {
    if (this.#made === path) return;
    await mkdir(path, { recursive: true, mode: folderMode() });
    this.#made = path;
  }

  end(): { hash: string; manifest: LibrarySetManifest } {
    const [missing] = this.#missing.values();
    if (missing !== undefined) throw invalid(`${JSON.stringify(missing.path)} is missing`);
    return { hash: this.#hash, manifest: this.manifest };
  }
}

async function allOf(content: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of content) pieces.push(piece);
  return Buffer.concat(pieces);
}

function invalid(why: string, cause?: unknown): DriverError {
  return new DriverError("INVALID_ARCHIVE", `the archive can't be used: ${why}`, { cause });
}
