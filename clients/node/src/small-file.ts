import { constants } from "node:fs";
import { open } from "node:fs/promises";

/** What was read of a file, and who can have written it. */
export interface SmallFile {
  readonly bytes: Uint8Array;
  readonly text: string;
  /** The user whose file it is, if nobody else may write it. */
  readonly onlyWriter: number | undefined;
}

/** For an address file, a token and what else is small. */
const defaultMaxBytes = 64 * 1024;
const writableByOthers = 0o022;

/**
 * Reads a file that stands where others may have put something else: a pipe is not waited for, and an endless device or a huge
 * file is not read.
 */
export async function readSmallFile(path: string, maxBytes = defaultMaxBytes): Promise<SmallFile> {
  await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const stats = await file.stat();
  if (!stats.isFile()) throw new Error(`${path} is no regular file`);
  if (stats.size > maxBytes) throw new Error(`${path} is larger than ${maxBytes} bytes`);
  const bytes = await file.readFile();
  const onlyWriter = (stats.mode & writableByOthers) === 0 ? stats.uid : undefined;
  return { bytes, text: bytes.toString("utf8"), onlyWriter };
}
