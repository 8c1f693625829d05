import { randomUUID } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { folderMode } from "../config/file-modes.ts";
import { DriverError } from "../errors/driver-error.ts";
import { checkCatalog } from "./check-catalog.ts";

/** The layout of the data directory as a whole. It changes only when drivers before the change must keep out. */
const FORMAT = 1;

/**
 * Makes the data directory where it isn't there, and makes sure that this driver understands it. Throws
 * DATA_DIRECTORY_NEWER, with nothing written, or DATA_DIRECTORY_UNUSABLE.
 */
export async function prepareDataDirectory(path: string): Promise<void> {
  const file = join(path, "FORMAT");
  try {
    await mkdir(path, { recursive: true, mode: folderMode() });
    const text = await readFile(file, "utf8").catch(absent);
    if (text !== undefined) checkFormat(file, text);
    await checkCatalog(path);
    if (text === undefined) await writeFormat(file);
  } catch (error) {
    if (error instanceof DriverError) throw error;
    throw new DriverError("DATA_DIRECTORY_UNUSABLE", `the data directory ${path} can't be used: ${String(error)}`, {
      metadata: { path },
      cause: error,
    });
  }
}

async function writeFormat(file: string): Promise<void> {
  // Two drivers that start at once both write the same; the rename keeps either from reading half of it.
  const temporary = `${file}.${randomUUID()}`;
  await writeFile(temporary, `${FORMAT}\n`);
  await rename(temporary, file);
}

function checkFormat(file: string, text: string): void {
  const format = Number(text);
  if (Number.isInteger(format) && format >= 1 && format <= FORMAT) return;
  if (format > FORMAT) {
    throw new DriverError(
      "DATA_DIRECTORY_NEWER",
      `${file} says format ${format}; this driver knows ${FORMAT} at most`,
      {
        metadata: { path: file, format: String(format), known: String(FORMAT) },
      },
    );
  }
  throw new DriverError("DATA_DIRECTORY_UNUSABLE", `${file} holds no format number`, { metadata: { path: file } });
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
}
