import { realpath } from "node:fs/promises";
import { dirname, isAbsolute, relative, sep } from "node:path";
import { DriverError } from "../errors/driver-error.ts";

/** Whether `path` is `root` or below it, compared by whole names: `/data-old` is not below `/data`. */
export function isBelow(path: string, root: string): boolean {
  const way = relative(root, path);
  return way === "" || (way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way));
}

/** Throws PATH_NOT_ALLOWED when a real path lies below none of the roots. */
export function requireAllowed(path: string, shown: string, roots: readonly string[] | undefined): void {
  if (roots === undefined || roots.some((root) => isBelow(path, root))) return;
  throw new DriverError("PATH_NOT_ALLOWED", `${shown} lies outside of the folders that the driver may read`, {
    metadata: { path: shown },
  });
}

/**
 * Checks a path that may not exist by the nearest folder above it that does, links resolved. Without this, the difference
 * between "not found" and "not allowed" would tell what exists outside of the roots.
 */
export async function requireAllowedFolder(
  path: string,
  shown: string,
  roots: readonly string[] | undefined,
): Promise<void> {
  if (roots === undefined) return;
  let folder = path;
  for (;;) {
    try {
      requireAllowed(await realpath(folder), shown, roots);
      return;
    } catch (error) {
      if (error instanceof DriverError) throw error;
      const above = dirname(folder);
      if (above === folder) throw error;
      folder = above;
    }
  }
}
