import { DriverError } from "../errors/driver-error.ts";
import type { PackageVersion } from "./model.ts";

/** As npm takes names today; older ones may have capitals. */
const NAME = /^(?:@[a-zA-Z0-9~-][a-zA-Z0-9._~-]*\/)?[a-zA-Z0-9~-][a-zA-Z0-9._~-]*$/;
const MAX_NAME = 214;
/** A version of semver.org, without build metadata, which tells no two versions apart. */
const EXACT =
  /^(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)(?:-(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?$/;
const MAX_VERSION = 256;

export function isPackageName(name: string): boolean {
  return name.length <= MAX_NAME && NAME.test(name);
}

export function isExactVersion(version: string): boolean {
  return version.length <= MAX_VERSION && EXACT.test(version);
}

/** Throws PACKAGE_VERSION_INEXACT, and INVALID_LIBRARY_SET for one that is named twice. */
export function checkPackages(packages: readonly PackageVersion[]): void {
  const seen = new Set<string>();
  for (const { name, version } of packages) {
    if (!isPackageName(name))
      throw new DriverError("PACKAGE_VERSION_INEXACT", `${JSON.stringify(name)} is no name of a package`, {
        metadata: { package: name },
      });
    if (!isExactVersion(version))
      throw new DriverError(
        "PACKAGE_VERSION_INEXACT",
        `${name}: ${inexact(version)}; give an exact one: ${name}@1.2.3`,
        {
          metadata: { package: name, version },
        },
      );
    if (seen.has(name))
      throw new DriverError("INVALID_LIBRARY_SET", `the package ${name} is named twice`, {
        metadata: { package: name },
      });
    seen.add(name);
  }
}

function inexact(version: string): string {
  return version === "" ? "no version is given" : `${JSON.stringify(version)} is not one version`;
}

/** By name, so that the order in which packages were named makes no other set. */
export function byName<T extends { readonly name: string }>(packages: readonly T[]): readonly T[] {
  return [...packages].sort(({ name: left }, { name: right }) => (left < right ? -1 : left > right ? 1 : 0));
}
