import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { readSmallFile } from "../config/small-file.ts";
import { isSetHash, isSetName, namesFolder } from "./layout.ts";
import type { LibrarySetPointer } from "./model.ts";

const ENDING = ".json";

export function pointerFile(dataDirectory: string, name: string): string {
  return join(namesFolder(dataDirectory), name + ENDING);
}

/** What a name points to; undefined where nothing has the name, or what stands there can't be read. */
export async function readPointer(dataDirectory: string, name: string): Promise<LibrarySetPointer | undefined> {
  try {
    const content: unknown = JSON.parse(await readSmallFile(pointerFile(dataDirectory, name)));
    const { hash, createTime, createdBy } = (content ?? {}) as Partial<Record<keyof LibrarySetPointer, unknown>>;
    if (typeof hash !== "string" || !isSetHash(hash)) return undefined;
    const time = new Date(typeof createTime === "string" ? createTime : 0);
    return { name, hash, createTime: time, createdBy: typeof createdBy === "string" ? createdBy : "" };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined || ["ENOENT", "ENOTDIR", "EISDIR"].includes(code)) return undefined;
    throw error;
  }
}

/** All names with what they point to. */
export async function readPointers(dataDirectory: string): Promise<ReadonlyMap<string, LibrarySetPointer>> {
  const files = await readdir(namesFolder(dataDirectory)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  const names = files.filter((file) => file.endsWith(ENDING)).map((file) => file.slice(0, -ENDING.length));
  const found = await Promise.all(names.filter(isSetName).map((name) => readPointer(dataDirectory, name)));
  return new Map(found.flatMap((pointer) => (pointer === undefined ? [] : [[pointer.name, pointer] as const])));
}
