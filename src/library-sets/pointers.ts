import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { readSmallFile } from "../config/small-file.ts";
import { DriverError } from "../errors/driver-error.ts";
import { isSetHash, isSetName, namesFolder } from "./layout.ts";
import type { LibrarySetPointer } from "./model.ts";

const ENDING = ".json";
/** Where a pointer that can't be read points to. */
export const NO_HASH = "";

export function pointerFile(dataDirectory: string, name: string): string {
  return join(namesFolder(dataDirectory), name + ENDING);
}

/** What a name points to; undefined where nothing has the name, or what stands there can't be read. */
export async function readPointer(dataDirectory: string, name: string): Promise<LibrarySetPointer | undefined> {
  const found = await findPointer(pointerFile(dataDirectory, name), name);
  return found?.hash === NO_HASH ? undefined : found;
}

/** What stands in a pointer's file: one to no set where it can't be read; undefined where there is none. */
export async function findPointer(file: string, name: string): Promise<LibrarySetPointer | undefined> {
  const unreadable = { name, hash: NO_HASH, createTime: new Date(0), createdBy: "" };
  try {
    const content: unknown = JSON.parse(await readSmallFile(file));
    const { hash, createTime, createdBy } = (content ?? {}) as Partial<Record<keyof LibrarySetPointer, unknown>>;
    if (typeof hash !== "string" || !isSetHash(hash)) return unreadable;
    return { name, hash, createTime: timeOf(createTime), createdBy: typeof createdBy === "string" ? createdBy : "" };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    if (code === undefined || ["EISDIR", "EACCES", "EIO", "ELOOP"].includes(code)) return unreadable;
    throw error;
  }
}

/** Whoever wrote the hash may have written no time: the set is the same. */
function timeOf(said: unknown): Date {
  const time = new Date(typeof said === "string" ? said : 0);
  return Number.isNaN(time.getTime()) ? new Date(0) : time;
}

/** All names with what they point to; to no set where that can't be read. */
export async function readPointers(dataDirectory: string): Promise<ReadonlyMap<string, LibrarySetPointer>> {
  const names = await pointerNames(dataDirectory);
  const found = await Promise.all(names.map((name) => findPointer(pointerFile(dataDirectory, name), name)));
  return new Map(found.flatMap((pointer) => (pointer === undefined ? [] : [[pointer.name, pointer] as const])));
}

/** The sets' hashes by their names, as they are in fingerprints. */
export function hashesOf(pointers: ReadonlyMap<string, LibrarySetPointer>): ReadonlyMap<string, string> {
  const known = [...pointers.values()].filter(({ hash }) => hash !== NO_HASH);
  return new Map(known.map(({ name, hash }) => [name, hash]));
}

/** Throws LIBRARY_SET_DAMAGED where it points to no set. */
export function requireHash({ name, hash }: LibrarySetPointer): void {
  if (hash === NO_HASH) throw damagedName(name, "the file that says what it points to can't be read");
}

export function damagedName(name: string, what: string, hash?: string): DriverError {
  return new DriverError("LIBRARY_SET_DAMAGED", `the library set "${name}" is damaged: ${what}`, {
    metadata: { librarySet: name, ...(hash !== undefined && { hash }) },
  });
}

export async function pointerNames(dataDirectory: string): Promise<readonly string[]> {
  const files = await readdir(namesFolder(dataDirectory)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  const names = files.filter((file) => file.endsWith(ENDING)).map((file) => file.slice(0, -ENDING.length));
  return names.filter(isSetName);
}
