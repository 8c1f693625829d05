import { constants, type Stats } from "node:fs";
import { open, realpath } from "node:fs/promises";
import { DriverError } from "../../errors/driver-error.ts";
import { isBelow, requireAllowed, requireAllowedFolder } from "../../sources/path-roots.ts";

const MAX_BYTES = 64 * 1024;
const GROUP_AND_OTHERS = 0o077;

/**
 * Reads a secret from a file that only the driver's user can read, without the line end that editors add.
 * Throws PATH_NOT_ALLOWED, SECRET_FORBIDDEN, SECRET_UNAVAILABLE.
 */
export async function readSecretFile(
  path: string,
  fileRoots: readonly string[] | undefined,
  reserved: readonly string[] = [],
): Promise<string> {
  await requireAllowedFolder(path, path, fileRoots);
  let text: string;
  try {
    const real = await realpath(path);
    requireAllowed(real, path, fileRoots);
    requireForeign(real, path, reserved);
    // A pipe is not waited for.
    await using file = await open(real, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
    requirePrivate(path, await file.stat());
    text = await file.readFile("utf8");
  } catch (error) {
    if (error instanceof DriverError) throw error;
    const why = error instanceof Error && "code" in error ? String(error.code) : "it can't be read";
    throw unavailable(path, why);
  }
  const secret = text.replace(/\r?\n$/, "");
  if (secret === "") throw unavailable(path, "it is empty");
  return secret;
}

/** What the system tells of processes, an environment for example, belongs to the driver's user as well. */
const OF_THE_SYSTEM = ["/proc", "/sys", "/dev"];

/** Whoever may name a server of his own could otherwise have the driver's token sent there. */
function requireForeign(real: string, path: string, reserved: readonly string[]): void {
  if (![...reserved, ...OF_THE_SYSTEM].some((own) => isBelow(real, own))) return;
  throw new DriverError("SECRET_FORBIDDEN", `${path} belongs to the driver itself or to the system`, {
    metadata: { file: path },
  });
}

function requirePrivate(path: string, stats: Stats): void {
  const { mode, uid, size } = stats;
  if (!stats.isFile()) throw unavailable(path, "it is no regular file");
  if (size > MAX_BYTES) throw unavailable(path, `it is larger than ${MAX_BYTES} bytes`);
  if (uid === process.getuid?.() && (mode & GROUP_AND_OTHERS) === 0) return;
  throw new DriverError(
    "SECRET_FORBIDDEN",
    `${path} holds a secret, so it must belong to the driver's user and have mode 0600`,
    { metadata: { file: path } },
  );
}

function unavailable(path: string, why: string): DriverError {
  return new DriverError("SECRET_UNAVAILABLE", `the secret in ${path}: ${why}`, { metadata: { file: path } });
}
