import { readFile } from "node:fs/promises";
import { join } from "node:path";
import semver from "semver";
import { isCode } from "../datasets/files.ts";
import { DriverError } from "../errors/driver-error.ts";
import type { LockedPackage } from "./lockfile.ts";
import type { LibraryPackage, PackageVersion } from "./model.ts";

type Json = { readonly [key: string]: unknown };

export interface InstalledOptions {
  readonly asked: readonly PackageVersion[];
  /** Those whose scripts have run. */
  readonly scripted: ReadonlySet<string>;
}

/**
 * What of a lockfile has been installed; optional packages for other systems are not. Throws PACKAGE_DAMAGED for a package that is not
 * what the lockfile calls it.
 */
export async function installedPackages(
  folder: string,
  locked: readonly LockedPackage[],
  { asked, scripted }: InstalledOptions,
): Promise<readonly LibraryPackage[]> {
  const direct = new Set(asked.map(({ name }) => `node_modules/${name}`));
  const found = await Promise.all(
    locked.map(async ({ path, name, version, integrity, hasInstallScript }) => {
      const manifest = await manifestIn(join(folder, path));
      if (manifest === undefined) return undefined;
      requireSame({ name, version }, manifest);
      const license = licenseOf(manifest);
      const engines = texts(manifest.engines);
      const peerDependencies = requiredPeers(manifest);
      const skipped = hasInstallScript ? "skipped" : "none";
      return {
        ...{ path, name, version, direct: direct.has(path) },
        scripts: scripted.has(name) ? ("ran" as const) : (skipped as "skipped" | "none"),
        ...(integrity !== undefined && { integrity }),
        ...(license !== undefined && { license }),
        ...(engines !== undefined && { engines }),
        ...(peerDependencies !== undefined && { peerDependencies }),
      };
    }),
  );
  return found.filter((each) => each !== undefined);
}

/** A hash says which bytes came; only they themselves say of what version they are. */
function requireSame({ name, version }: PackageVersion, manifest: Json): void {
  const own =
    typeof manifest.version === "string" ? semver.parse(manifest.version, { loose: true })?.version : undefined;
  if (manifest.name === name && own === version) return;
  const told = JSON.stringify(`${manifest.name}@${manifest.version}`);
  throw new DriverError("PACKAGE_DAMAGED", `${name}@${version} calls itself ${told}`, {
    metadata: { package: name, version },
  });
}

async function manifestIn(folder: string): Promise<Json | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
    return typeof value === "object" && value !== null ? (value as Json) : {};
  } catch (error) {
    if (isCode(error, "ENOENT")) return undefined;
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

/** A text today; older packages have an object, or a list of such. */
function licenseOf({ license, licenses }: Json): string | undefined {
  const given = [license ?? licenses].flat().map((each) => (isObject(each) ? each.type : each));
  const found = given.filter((each) => typeof each === "string" && each !== "");
  return found.length === 0 ? undefined : found.join(" OR ");
}

function requiredPeers({ peerDependencies, peerDependenciesMeta }: Json): Readonly<Record<string, string>> | undefined {
  const meta = isObject(peerDependenciesMeta) ? peerDependenciesMeta : {};
  const optional = (name: string) => isObject(meta[name]) && meta[name].optional === true;
  const required = Object.entries(texts(peerDependencies) ?? {}).filter(([name]) => !optional(name));
  return required.length === 0 ? undefined : Object.fromEntries(required);
}

function texts(value: unknown): Readonly<Record<string, string>> | undefined {
  if (!isObject(value)) return undefined;
  const found = Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === "string");
  return found.length === 0 ? undefined : Object.fromEntries(found);
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
