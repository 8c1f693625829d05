import { constants } from "node:fs";
import { open } from "node:fs/promises";

const MAX_BYTES = 64 * 1024;

/** Reads a text that is never long. Something else may stand in its place: a pipe is not waited for, gigabytes are not read. */
export async function readSmallFile(path: string): Promise<string> {
  await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const stats = await file.stat();
  if (!stats.isFile() || stats.size > MAX_BYTES) throw new Error(`${path} is no such file`);
  return await file.readFile("utf8");
}
