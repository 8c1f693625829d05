import { randomUUID } from "node:crypto";
import { chmod, lstat, readdir, readFile, rename, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { isCode, syncFolder, writeNewFile } from "../datasets/files.ts";
import { DriverError } from "../errors/driver-error.ts";
import { isSetHash, LOCK_FILE, librarySetsFolder, MANIFEST_FILE, setFolder } from "./layout.ts";
import { hashOf, ManifestError, manifestText, parseManifest } from "./manifest.ts";
import { holdMending } from "./mending.ts";
import type { LibrarySetManifest } from "./model.ts";
import { firstDifference, TreeError } from "./tree.ts";

/** What a damaged file says when it is read, or what stands in its place. */
const UNREADABLE = ["EACCES", "EIO", "EISDIR", "ENOTDIR"];
/** Something stands where a folder shall be moved to. */
const TAKEN = ["ENOTEMPTY", "EEXIST", "ENOTDIR"];

/** The folders of a data directory's sets, by hash. */
export class PublishedSets {
  readonly #dataDirectory: string;

  constructor(dataDirectory: string) {
    this.#dataDirectory = dataDirectory;
  }

  folderOf(hash: string): string {
    return setFolder(this.#dataDirectory, hash);
  }

  /** Throws LIBRARY_SET_NOT_FOUND, LIBRARY_SET_DAMAGED. */
  async manifest(hash: string): Promise<LibrarySetManifest> {
    const bytes = await readFile(join(this.folderOf(hash), MANIFEST_FILE)).catch((error: unknown) => {
      if (isCode(error, "ENOENT")) return undefined;
      const code = UNREADABLE.find((each) => isCode(error, each));
      throw code === undefined ? error : damaged(hash, `${MANIFEST_FILE} can't be read: ${code}`);
    });
    if (bytes === undefined) throw await this.#missing(hash);
    if (hashOf(bytes) !== hash) throw damaged(hash, `${MANIFEST_FILE} was altered`);
    try {
      return parseManifest(bytes.toString("utf8"));
    } catch (error) {
      throw error instanceof ManifestError ? damaged(hash, error.message) : error;
    }
  }

  /** Throws LIBRARY_SET_NOT_FOUND, LIBRARY_SET_DAMAGED. */
  async lockfile(hash: string): Promise<string> {
    const { files } = await this.manifest(hash);
    const bytes = await readFile(join(this.folderOf(hash), LOCK_FILE)).catch((error: unknown) => {
      const code = ["ENOENT", ...UNREADABLE].find((each) => isCode(error, each));
      throw code === undefined ? error : damaged(hash, `${LOCK_FILE} can't be read: ${code}`);
    });
    if (hashOf(bytes) !== files.find(({ path }) => path === LOCK_FILE)?.sha256)
      throw damaged(hash, `${LOCK_FILE} was altered`);
    return bytes.toString("utf8");
  }

  async #missing(hash: string): Promise<DriverError> {
    if (await isThere(this.folderOf(hash))) return damaged(hash, `${MANIFEST_FILE} is missing`);
    return new DriverError("LIBRARY_SET_NOT_FOUND", `there are no files of the library set ${hash}`, {
      metadata: { hash },
    });
  }

  /** Reads every file. Throws LIBRARY_SET_NOT_FOUND, LIBRARY_SET_DAMAGED. */
  async verify(hash: string, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { files } = await this.manifest(hash);
    const difference = await firstDifference(this.folderOf(hash), files, { signal, besides: [MANIFEST_FILE] }).catch(
      (error: unknown) => {
        signal.throwIfAborted();
        // A file that can't be read can't be run either.
        if (error instanceof TreeError || ["ENOENT", ...UNREADABLE].some((code) => isCode(error, code)))
          return error instanceof Error ? error.message : "";
        throw error;
      },
    );
    if (difference !== undefined) throw damaged(hash, difference);
  }

  /**
   * Makes a staged folder, whose files are sealed, a set, in one step. A set of this hash that is there already is the same one,
   * unless it was damaged: then the new one takes its place, and the damaged one lies beside the staged one, under a name that begins so.
   */
  async publish(
    staged: string,
    manifest: LibrarySetManifest,
    options: { readonly signal: AbortSignal },
  ): Promise<string> {
    const text = manifestText(manifest);
    const hash = hashOf(text);
    const file = join(staged, MANIFEST_FILE);
    await rm(file, { force: true });
    await writeNewFile(file, text);
    await chmod(file, 0o444);
    await syncFolders(staged);
    for (;;) {
      options.signal.throwIfAborted();
      if ((await this.#look(hash, options)) === "whole") break;
      try {
        await rename(staged, this.folderOf(hash));
        break;
      } catch (error) {
        if (!TAKEN.some((code) => isCode(error, code))) throw error;
      }
      using _ = await holdMending(this.#dataDirectory, options);
      // Another one may have mended it by now, or be about to.
      if ((await this.#look(hash, options)) !== "damaged") continue;
      // Whoever staged it removes it later: nothing is there meanwhile, and thousands of files take their time.
      await this.moveAside(hash, `${staged}.damaged-${randomUUID()}`);
    }
    await syncFolder(librarySetsFolder(this.#dataDirectory));
    return hash;
  }

  /** From now on a set counts as new, so that nobody sweeps it. Answers whether anything is there. */
  async touch(hash: string): Promise<boolean> {
    const now = new Date();
    return utimes(this.folderOf(hash), now, now).then(
      () => true,
      // That of another user keeps its time.
      () => isThere(this.folderOf(hash)),
    );
  }

  /** Whether a set is there and whole; then it has time to get its name. */
  async #look(hash: string, { signal }: { readonly signal: AbortSignal }): Promise<"whole" | "damaged" | "gone"> {
    if (!(await this.touch(hash))) return "gone";
    return this.verify(hash, { signal }).then(
      () => "whole",
      (error: unknown) => {
        if (error instanceof DriverError && error.reason === "LIBRARY_SET_DAMAGED") return "damaged";
        if (error instanceof DriverError && error.reason === "LIBRARY_SET_NOT_FOUND") return "gone";
        throw error;
      },
    );
  }

  /** Takes a set's folder away in one step. */
  async moveAside(hash: string, aside: string): Promise<void> {
    try {
      await rename(this.folderOf(hash), aside);
    } catch (error) {
      if (!isCode(error, "ENOENT")) throw error;
    }
  }

  /** Undoes `moveAside`, unless somebody has published the set again. */
  async putBack(hash: string, aside: string): Promise<void> {
    try {
      await rename(aside, this.folderOf(hash));
    } catch (error) {
      if (!["ENOENT", ...TAKEN].some((code) => isCode(error, code))) throw error;
    }
  }

  /** The hashes of all folders. */
  async list(): Promise<readonly string[]> {
    return (await readdir(librarySetsFolder(this.#dataDirectory))).filter(isSetHash);
  }

  /** When a set was published or last touched; undefined where it is not there. */
  async timeOf(hash: string): Promise<Date | undefined> {
    return (await stat(this.folderOf(hash)).catch(() => undefined))?.mtime;
  }
}

function damaged(hash: string, what: string): DriverError {
  return new DriverError("LIBRARY_SET_DAMAGED", `the library set ${hash.slice(0, 12)} is damaged: ${what}`, {
    metadata: { hash },
  });
}

/** Also a link that leads nowhere is: nothing can be moved to its place. */
async function isThere(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

/** The names in all folders of a set. */
async function syncFolders(folder: string): Promise<void> {
  await syncFolder(folder);
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }))
    if (entry.isDirectory()) await syncFolder(join(entry.parentPath, entry.name));
}
