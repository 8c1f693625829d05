import { randomUUID } from "node:crypto";
import { closeSync, fstatSync, linkSync, mkdirSync, openSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { DriverError } from "../errors/driver-error.ts";
import { folderMode, secretFileMode } from "./file-modes.ts";

const GROUP = 0o070;
const OTHERS = 0o007;

/** A small text that only the driver's user, or the group that shares the data directory, may read. */
export interface PrivateFile {
  /** For people: `the token file`. */
  readonly what: string;
  readonly path: string;
  /** The group that may read it; undefined for none. */
  readonly group: number | undefined;
  readonly pattern: RegExp;
  /** What it is that the pattern asks for: `token of 16 or more printable characters`. */
  readonly content: string;
  /** What a new one holds. */
  readonly make: () => string;
}

/**
 * Reads the file, making it (0600, or 0640 for a group) once if it is not there. Two drivers that start together agree on one.
 * Throws DATA_DIRECTORY_UNUSABLE if it can't be read, holds something else, or others may read it.
 */
export function readOrCreatePrivateFile(file: PrivateFile): string {
  return guarded(file, () => read(file) ?? create(file));
}

/** As `readOrCreatePrivateFile`, but undefined where there is none. */
export function readPrivateFile(file: PrivateFile): string | undefined {
  return guarded(file, () => read(file));
}

function guarded<T>(file: PrivateFile, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof DriverError) throw error;
    throw unusable(file, `: ${(error as Error).message}`, error);
  }
}

function read(file: PrivateFile): string | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(file.path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    const { mode, gid } = fstatSync(descriptor);
    if ((mode & OTHERS) !== 0 || ((mode & GROUP) !== 0 && gid !== file.group))
      throw unusable(file, ` may be read by others; its mode must be ${file.group === undefined ? "0600" : "0640"}`);
    const text = readFileSync(descriptor, "utf8").trim();
    if (!file.pattern.test(text)) throw unusable(file, ` holds no ${file.content}`);
    return text;
  } finally {
    closeSync(descriptor);
  }
}

/** `link` fails where the file has come into being meanwhile: whoever was first is right. */
function create(file: PrivateFile): string {
  mkdirSync(dirname(file.path), { recursive: true, mode: folderMode() });
  const draft = `${file.path}.${randomUUID()}.tmp`;
  writeFileSync(draft, `${file.make()}\n`, { mode: secretFileMode() });
  try {
    linkSync(draft, file.path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    unlinkSync(draft);
  }
  const text = read(file);
  if (text === undefined) throw unusable(file, " vanished while it was made");
  return text;
}

function unusable({ what, path }: PrivateFile, why: string, cause?: unknown): DriverError {
  return new DriverError("DATA_DIRECTORY_UNUSABLE", `${what} ${path}${why}`, { metadata: { file: path }, cause });
}
