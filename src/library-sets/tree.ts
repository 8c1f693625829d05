import { createHash } from "node:crypto";
import { chmod, open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { DriverError } from "../errors/driver-error.ts";
import type { SetFile } from "./model.ts";

const AT_ONCE = 8;
const PIECE_BYTES = 256 * 1024;
/** For files to be read into: with one for each of thousands of small files, a third of the time went into making and collecting them. */
const spare: Buffer[] = [];

/** What of a folder is no regular file and no folder. */
export class TreeError extends Error {
  override name = "TreeError";
}

/** The regular files below a folder by path, with `/` between names. Throws TreeError for anything else. */
export async function filesBelow(folder: string, within = ""): Promise<readonly string[]> {
  const entries = await readdir(join(folder, within), { withFileTypes: true });
  const found = await Promise.all(
    entries.map(async (entry) => {
      const path = within === "" ? entry.name : `${within}/${entry.name}`;
      if (entry.isDirectory()) return filesBelow(folder, path);
      if (!entry.isFile()) throw new TreeError(`${path} is neither file nor folder`);
      return [path];
    }),
  );
  return found.flat().sort();
}

/** The hash of a file's bytes, which are safe against a power cut with `sync`. */
export async function hashFile(
  path: string,
  { signal, sync = false }: { readonly signal: AbortSignal; readonly sync?: boolean },
): Promise<Pick<SetFile, "sha256" | "bytes">> {
  signal.throwIfAborted();
  await using file = await open(path, "r");
  const hash = createHash("sha256");
  const piece = spare.pop() ?? Buffer.allocUnsafeSlow(PIECE_BYTES);
  let bytes = 0;
  try {
    for (;;) {
      const { bytesRead } = await file.read(piece, 0, PIECE_BYTES);
      signal.throwIfAborted();
      if (bytesRead === 0) break;
      hash.update(piece.subarray(0, bytesRead));
      bytes += bytesRead;
    }
  } finally {
    if (spare.length < AT_ONCE) spare.push(piece);
  }
  if (sync) await file.sync();
  return { sha256: hash.digest("hex"), bytes };
}

/** All files below a folder with their hashes; safe against a power cut, and not to be written any more. */
export async function sealTree(folder: string, options: { readonly signal: AbortSignal }): Promise<readonly SetFile[]> {
  return eachOf(await filesBelow(folder), async (path) => {
    const file = join(folder, path);
    const found = await hashFile(file, { ...options, sync: true });
    await chmod(file, 0o444);
    return { path, ...found };
  });
}

/** In which of the files a folder does not hold what was said; undefined where all are right and no other is there. */
export async function firstDifference(
  folder: string,
  wanted: readonly SetFile[],
  { signal, besides }: { readonly signal: AbortSignal; readonly besides: readonly string[] },
): Promise<string | undefined> {
  const present = await filesBelow(folder).catch((error: unknown) => {
    if (error instanceof TreeError) return error.message;
    throw error;
  });
  if (typeof present === "string") return present;
  const known = new Set([...besides, ...wanted.map(({ path }) => path)]);
  const added = present.find((path) => !known.has(path));
  if (added !== undefined) return `${added} does not belong to it`;
  const there = new Set(present);
  const missing = wanted.find(({ path }) => !there.has(path));
  if (missing !== undefined) return `${missing.path} is missing`;
  const wrong = await eachOf(wanted, async ({ path, sha256 }) => {
    const found = await hashFile(join(folder, path), { signal });
    return found.sha256 === sha256 ? undefined : `${path} was altered`;
  });
  return wrong.find((each) => each !== undefined);
}

/** A few at once: sets hold thousands of small files. */
async function eachOf<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<readonly R[]> {
  const results = new Array<R>(items.length);
  const queue = items.entries();
  const worker = async () => {
    for (const [index, item] of queue) results[index] = await work(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return results;
}

/** A package of a set that holds what no package may. */
export function asPackageUnsafe(error: unknown): unknown {
  if (!(error instanceof TreeError)) return error;
  return new DriverError("PACKAGE_UNSAFE", `what was installed can't be used: ${error.message}`, { cause: error });
}
