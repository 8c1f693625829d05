import { randomUUID } from "node:crypto";
import { closeSync, fstatSync, linkSync, mkdirSync, openSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { folderMode, secretFileMode } from "../config/file-modes.ts";
import { DriverError } from "../errors/driver-error.ts";
import { newToken } from "./identity.ts";

const GROUP = 0o070;
const OTHERS = 0o007;

export interface TokenOptions {
  /** The group that may read it; undefined for none. */
  readonly group: number | undefined;
}

/**
 * Reads the token, making its file (0600, or 0640 for a group) once if it is not there. Two drivers that start together agree on one token.
 * Throws DATA_DIRECTORY_UNUSABLE if it can't be read, is empty, or others may read it.
 */
export function readOrCreateToken(file: string, options: TokenOptions): string {
  try {
    return readToken(file, options) ?? createToken(file, options);
  } catch (error) {
    if (error instanceof DriverError) throw error;
    throw new DriverError("DATA_DIRECTORY_UNUSABLE", `the token file ${file}: ${(error as Error).message}`, {
      metadata: { file },
      cause: error,
    });
  }
}

function readToken(file: string, { group }: TokenOptions): string | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(file, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    const { mode, gid } = fstatSync(descriptor);
    if ((mode & OTHERS) !== 0 || ((mode & GROUP) !== 0 && gid !== group))
      throw unusable(file, `may be read by others; its mode must be ${group === undefined ? "0600" : "0640"}`);
    const token = readFileSync(descriptor, "utf8").trim();
    if (!/^[\x21-\x7e]{16,1024}$/.test(token))
      throw unusable(file, "holds no token of 16 or more printable characters");
    return token;
  } finally {
    closeSync(descriptor);
  }
}

/** `link` fails where the file has come into being meanwhile: whoever was first is right. */
function createToken(file: string, options: TokenOptions): string {
  mkdirSync(dirname(file), { recursive: true, mode: folderMode() });
  const draft = `${file}.${randomUUID()}.tmp`;
  writeFileSync(draft, `${newToken()}\n`, { mode: secretFileMode() });
  try {
    linkSync(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    unlinkSync(draft);
  }
  const token = readToken(file, options);
  if (token === undefined) throw unusable(file, "vanished while it was made");
  return token;
}

function unusable(file: string, why: string): DriverError {
  return new DriverError("DATA_DIRECTORY_UNUSABLE", `the token file ${file} ${why}`, { metadata: { file } });
}
