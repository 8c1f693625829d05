import { constants, fstatSync, statSync } from "node:fs";
import { copyFile, rename, rm, stat, truncate } from "node:fs/promises";

const STDERR = 2;

export interface LogRotationOptions {
  /** The file that stderr is appended to. */
  readonly file: string;
  /** A larger file is put aside. */
  readonly maxBytes: number;
  readonly intervalMs: number;
  readonly onError: (error: unknown) => void;
}

/**
 * Puts the log aside as `FILE.1` from time to time, when it is too large. Somebody else opened it for this process, for
 * appending, so it is copied and then cut, rather than renamed: what is written between the two is lost. Does nothing if
 * stderr goes elsewhere, because then the file is not this process's to cut. Disposing ends it.
 */
export function rotateLog({ file, maxBytes, intervalMs, onError }: LogRotationOptions): Disposable {
  if (maxBytes === 0 || !isStderr(file)) return { [Symbol.dispose]: () => {} };
  let running = false;
  const timer = setInterval(async () => {
    if (running) return;
    running = true;
    try {
      if ((await stat(file)).size > maxBytes) await putAside(file);
    } catch (error) {
      onError(error);
    }
    running = false;
  }, intervalMs).unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/** A reader of `FILE.1` sees a whole one. */
async function putAside(file: string): Promise<void> {
  const draft = `${file}.1.tmp`;
  try {
    await copyFile(file, draft, constants.COPYFILE_FICLONE);
    await rename(draft, `${file}.1`);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  await truncate(file);
}

function isStderr(file: string): boolean {
  try {
    const [named, open] = [statSync(file), fstatSync(STDERR)];
    return named.isFile() && named.dev === open.dev && named.ino === open.ino;
  } catch {
    return false;
  }
}
