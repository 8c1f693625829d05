import { randomUUID } from "node:crypto";
import { link, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { suggest } from "../config/suggest.ts";
import { isCode, syncFolder, writeNewFile } from "../datasets/files.ts";
import { DriverError } from "../errors/driver-error.ts";
import { isSetName, namesFolder, stagingFolder } from "./layout.ts";
import type { LibrarySetPointer } from "./model.ts";
import { findPointer, NO_HASH, pointerFile, pointerNames, readPointer } from "./pointers.ts";

/** A name that is being taken away, in the staging folder. */
const TAKEN = /^[0-9a-f-]{73}\.name-(.+)$/;

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

  /** Where its file can't be read, it points to no set. Throws LIBRARY_SET_NOT_FOUND. */
  async get(name: string): Promise<LibrarySetPointer> {
    const found = isSetName(name) ? await this.#find(name) : undefined;
    if (found !== undefined) return found;
    throw notFound(name, suggest(name, await pointerNames(this.#dataDirectory)));
  }

  /** By name; those whose files can't be read point to no set. */
  async list(): Promise<readonly LibrarySetPointer[]> {
    const names = [...(await pointerNames(this.#dataDirectory))].sort();
    const found = await Promise.all(names.map((name) => this.#find(name)));
    return found.filter((pointer) => pointer !== undefined);
  }

  #find(name: string): Promise<LibrarySetPointer | undefined> {
    return findPointer(pointerFile(this.#dataDirectory, name), name);
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
   * said by then that it uses the set, or finds it gone. Throws LIBRARY_SET_NOT_FOUND, and DEFINITION_CHANGED where the name points
   * to another set by now.
   */
  async remove(pointer: LibrarySetPointer, mayRemove: () => Promise<void>): Promise<void> {
    const { name, hash } = pointer;
    await mayRemove();
    const taken = `${this.#instanceId}-${randomUUID()}.name-${name}`;
    const aside = join(this.#drafts, taken);
    await rename(pointerFile(this.#dataDirectory, name), aside).catch((error: unknown) => {
      throw isCode(error, "ENOENT") ? notFound(name) : error;
    });
    try {
      const present = await findPointer(aside, name);
      if (present?.hash !== hash) throw changed(name, present?.hash ?? NO_HASH);
      await mayRemove();
      await syncFolder(this.#folder);
    } catch (error) {
      // What can't be given back now is once this driver is dead.
      await this.giveBack(taken).catch(() => undefined);
      throw error;
    }
    await rm(aside, { force: true, recursive: true });
  }

  /**
   * Undoes what a driver did not live to do: gives back the name that it has taken away into the staging folder. Nobody was told that
   * it is gone. One that was made anew meanwhile is left alone, and whatever else is staged, too.
   */
  async giveBack(staged: string): Promise<void> {
    const name = TAKEN.exec(staged)?.[1];
    if (name === undefined) return;
    const aside = join(this.#drafts, staged);
    await link(aside, pointerFile(this.#dataDirectory, name)).catch((error: unknown) => {
      if (!isCode(error, "EEXIST") && !isCode(error, "ENOENT")) throw error;
    });
    await syncFolder(this.#folder);
    await rm(aside, { force: true, recursive: true });
  }
}

function notFound(name: string, hint = ""): DriverError {
  return new DriverError("LIBRARY_SET_NOT_FOUND", `there is no library set ${JSON.stringify(name)}${hint}`, {
    metadata: { librarySet: name },
  });
}

function changed(name: string, hash: string): DriverError {
  return new DriverError("DEFINITION_CHANGED", `the name "${name}" was given to another library set meanwhile`, {
    metadata: { librarySet: name, hash },
  });
}
