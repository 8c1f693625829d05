import { access } from "node:fs/promises";
import { join } from "node:path";
import { DriverError } from "../errors/driver-error.ts";
import type { LockedPackage } from "./lockfile.ts";
import { damaged, inspectTarball } from "./npm/tarball.ts";

/** The strongest first. */
const ALGORITHMS = ["sha512", "sha384", "sha256"];

/**
 * Looks into the packages that npm has unpacked, as they lie in its cache by their hashes: links and paths that leave the folder have been
 * passed over, so that what was installed does not tell of them. Throws PACKAGE_UNSAFE, PACKAGE_DAMAGED.
 */
export async function checkTarballs(
  cacheFolder: string,
  packages: readonly LockedPackage[],
  { signal, folder }: { readonly signal: AbortSignal; readonly folder: string },
): Promise<void> {
  for (const { name, version, path, integrity } of packages) {
    if (integrity === undefined || !(await isThere(join(folder, path)))) continue;
    const shown = `${name}@${version}`;
    const cached = cachedAt(cacheFolder, integrity);
    if (!(await isThere(cached)))
      throw new DriverError("INSTALL_FAILED", `${shown} is not in npm's cache, so that it can't be checked`, {
        metadata: { package: name, version },
      });
    const found = await inspectTarball(cached, shown, { signal });
    const wanted = strongest(integrity);
    if (wanted.startsWith("sha512-") && found.integrity !== wanted) throw damaged(shown, "does not have its hash");
  }
}

function strongest(integrity: string): string {
  const given = integrity.split(/\s+/);
  const found = ALGORITHMS.map((algorithm) => given.find((each) => each.startsWith(`${algorithm}-`)));
  return found.find((each) => each !== undefined) ?? "";
}

/** As npm's cache lays it out (`content-v2`). */
function cachedAt(cacheFolder: string, integrity: string): string {
  const [algorithm = "", digest = ""] = strongest(integrity).split(/-(.*)/s);
  const hex = Buffer.from(digest, "base64").toString("hex");
  return join(cacheFolder, "_cacache", "content-v2", algorithm, hex.slice(0, 2), hex.slice(2, 4), hex.slice(4));
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
