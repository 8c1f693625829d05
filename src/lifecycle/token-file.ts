import { closeSync, fstatSync, linkSync, mkdirSync, openSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { DriverError } from "../errors/driver-error.ts";
import { newToken } from "./identity.ts";

const OTHERS = 0o077;

/**
 * Reads the token, making its file (0600) once if it is not there. Two drivers that start together agree on one token.
 * Throws DATA_DIRECTORY_UNUSABLE if it can't be read, is empty, or others may read it.
 */
export function readOrCreateToken(file: string): string {
  try {
    return readToken(file) ?? createToken(file);
  } catch (error) {
    if (error instanceof DriverError) throw error;
    throw new DriverError("DATA_DIRECTORY_UNUSABLE", `the token file ${file}: ${(error as Error).message}`, {
      metadata: { file },
      cause: error,
    });
  }
}

function readToken(file: string): string | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(file, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    if ((fstatSync(descriptor).mode & OTHERS) !== 0)
      throw unusable(file, "may be read by others; its mode must be 0600");
    const token = readFileSync(descriptor, "utf8").trim();
    if (!/^[\x21-\x7e]{16,1024}$/.test(token))
      throw unusable(file, "holds no token of 16 or more printable characters");
    return token;
  } finally {
    closeSync(descriptor);
  }
}

/** `link` fails where the file has come into being meanwhile: whoever was first is right. */
function createToken(file: string): string {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const draft = `${file}.${process.pid}.tmp`;
  writeFileSync(draft, `${newToken()}\n`, { mode: 0o600 });
  try {
    linkSync(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    unlinkSync(draft);
  }
  const token = readToken(file);
  if (token === undefined) throw unusable(file, "vanished while it was made");
  return token;
}

function unusable(file: string, why: string): DriverError {
  return new DriverError("DATA_DIRECTORY_UNUSABLE", `the token file ${file} ${why}`, { metadata: { file } });
}
