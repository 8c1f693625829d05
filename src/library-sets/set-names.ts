import { randomUUID } from "node:crypto";
import { link, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { isCode, syncFolder, writeNewFile } from "../datasets/files.ts";
import { DriverError } from "../errors/driver-error.ts";
import { isSetName, namesFolder, stagingFolder } from "./layout.ts";
import type { LibrarySetPointer } from "./model.ts";
import { pointerFile, readPointer, readPointers } from "./pointers.ts";

/** The names of a data directory's sets, each a file, so that any program can read which set it means. */
export class SetNames {
  readonly #dataDirectory: string;
  readonly #folder: string;
  readonly #drafts: string;
  readonly #instanceId: string;

  constructor(dataDirectory: string, instanceId: string) {
    this.#dataDirectory = dataDirectory;
    this.#folder = namesFolder(dataDirectory);
    this.#drafts = stagingFolder(dataDirectory);
    this.#instanceId = instanceId;
  }

  /** Throws LIBRARY_SET_NOT_FOUND. */
  async get(name: string): Promise<LibrarySetPointer> {
    const found = isSetName(name) ? await readPointer(this.#dataDirectory, name) : undefined;
    if (found !== undefined) return found;
    throw new DriverError("LIBRARY_SET_NOT_FOUND", `there is no library set ${JSON.stringify(name)}`, {
      metadata: { librarySet: name },
    });
  }

  /** By name. What can't be read is no pointer. */
  async list(): Promise<readonly LibrarySetPointer[]> {
    const found = await readPointers(this.#dataDirectory);
    return [...found.values()].sort(({ name: left }, { name: right }) => (left < right ? -1 : 1));
  }

  /**
   * Gives a set its name, or with `replace` the name another set, in one step. Answers with what the name points to: the pointer
   * that was there, where it points to the same set. Throws LIBRARY_SET_EXISTS.
   */
  async set(pointer: LibrarySetPointer, { replace }: { readonly replace: boolean }): Promise<LibrarySetPointer> {
    const path = pointerFile(this.#dataDirectory, pointer.name);
    const present = await readPointer(this.#dataDirectory, pointer.name);
    if (present?.hash === pointer.hash) return present;
    const draft = join(this.#drafts, `${this.#instanceId}-${randomUUID()}`);
    const { createTime, ...rest } = pointer;
    await writeNewFile(draft, `${JSON.stringify({ ...rest, createTime: createTime.toISOString() }, null, 2)}\n`);
    try {
      if (replace) await rename(draft, path);
      else await link(draft, path);
      await syncFolder(this.#folder);
      return pointer;
    } catch (error) {
      if (!isCode(error, "EEXIST")) throw error;
      const other = await readPointer(this.#dataDirectory, pointer.name);
      if (other?.hash === pointer.hash) return other;
      throw new DriverError("LIBRARY_SET_EXISTS", `the library set "${pointer.name}" exists, with other content`, {
        metadata: { librarySet: pointer.name, ...(other && { hash: other.hash }) },
      });
    } finally {
      await rm(draft, { force: true });
    }
  }

  /**
   * Takes a name away unless `mayRemove` throws, which is asked once the name is gone, too: a driver that starts meanwhile either has
   * said by then that it uses the set, or finds it gone.
   */
  async remove(pointer: LibrarySetPointer, mayRemove: () => Promise<void>): Promise<void> {
    await mayRemove();
    const path = pointerFile(this.#dataDirectory, pointer.name);
    const aside = join(this.#drafts, `${this.#instanceId}-${randomUUID()}`);
    await rename(path, aside);
    try {
      await mayRemove();
      await syncFolder(this.#folder);
    } catch (error) {
      // Somebody who has made a new one meanwhile is left alone.
      await link(aside, path).catch(() => undefined);
      throw error;
    } finally {
      await rm(aside, { force: true });
    }
  }
}
