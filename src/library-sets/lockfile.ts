import { DriverError } from "../errors/driver-error.ts";
import { canonicalJson } from "../operations/identity.ts";
import type { PackageVersion } from "./model.ts";
import { byName, isExactVersion, isPackageName } from "./package-version.ts";

/** What a lockfile says of one package. */
export interface LockedPackage extends PackageVersion {
  /** Its folder: `node_modules/pg`. */
  readonly path: string;
  /** Undefined for one that lies in another one's tarball. */
  readonly integrity: string | undefined;
  readonly hasInstallScript: boolean;
  /** Whether it is installed on some systems only. */
  readonly platformBound: boolean;
}

export interface Lockfile {
  /** What it was made for, by name. */
  readonly asked: readonly PackageVersion[];
  /** By path. */
  readonly packages: readonly LockedPackage[];
  /** As it is kept: without registries, in one order. */
  readonly text: string;
}

type Json = { readonly [key: string]: unknown };

/** What npm is told of the set. */
const ROOT = { name: "library-set", version: "0.0.0" } as const;
const STRONG = /^sha(?:256|384|512)-[A-Za-z0-9+/]+={0,2}$/;
/** Of an entry, what decides which bytes are installed and what is shown; where they came from does not. */
const DROPPED = ["resolved", "funding", "dev", "devOptional", "bin", "deprecated"];

/** The package.json of which npm makes a lockfile, and that it wants beside one. */
export function rootManifest(asked: readonly PackageVersion[]): string {
  return JSON.stringify({ ...ROOT, private: true, dependencies: dependenciesOf(asked) });
}

function dependenciesOf(asked: readonly PackageVersion[]): Readonly<Record<string, string>> {
  return Object.fromEntries(byName(asked).map(({ name, version }) => [name, version]));
}

/**
 * Reads a lockfile of npm 7 or later, somebody's or the one that npm has just written. What is for development only is left out. Throws
 * INVALID_LOCKFILE.
 */
export function readLockfile(text: string): Lockfile {
  const entries = Object.entries(objectOf(parsed(text).packages, "packages"));
  const root = objectOf(entries.find(([path]) => path === "")?.[1], 'packages[""]');
  const kept = entries
    .filter(([path, value]) => path !== "" && !isLeftOut(value))
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([path, value]) => [path, objectOf(value, path)] as const);
  const packages = kept.map(([path, entry]) => lockedPackage(path, entry));
  const asked = askedOf(root, packages);
  const present = new Set(kept.map(([path]) => nameIn(path)));
  const rest = kept.map(([path, entry]) => [path, without(entry, present)] as const);
  const document = {
    ...ROOT,
    lockfileVersion: 3,
    requires: true,
    packages: { "": { ...ROOT, dependencies: dependenciesOf(asked) }, ...Object.fromEntries(rest) },
  };
  return { asked, packages, text: `${canonicalJson(document)}\n` };
}

function parsed(text: string): Json {
  try {
    return objectOf(JSON.parse(text), "the file");
  } catch (error) {
    if (error instanceof DriverError) throw error;
    throw invalid("it is no JSON");
  }
}

function isLeftOut(value: unknown): boolean {
  const { dev, extraneous } = (value ?? {}) as Json;
  return dev === true || extraneous === true;
}

function lockedPackage(path: string, entry: Json): LockedPackage {
  const { version, integrity, resolved, link, inBundle, name = nameIn(path) } = entry;
  if (link === true) throw invalid(`${JSON.stringify(path)} is a link to a folder`);
  if (!isModulePath(path)) throw invalid(`${JSON.stringify(path)} lies outside of node_modules`);
  if (typeof name !== "string" || !isPackageName(name)) throw invalid(`${JSON.stringify(path)} has no name`);
  if (typeof resolved === "string" && !/^https?:/i.test(resolved))
    throw invalid(`${name} comes from no registry: ${resolved.split(":")[0]}`);
  if (typeof version !== "string" || !isExactVersion(version)) throw invalid(`${name} has no exact version`);
  if (inBundle !== true && !isStrong(integrity))
    throw invalid(`${name}@${version} has no hash (SHA-256 or longer)`, { package: name, version });
  return {
    ...{ path, name, version, integrity: typeof integrity === "string" ? integrity : undefined },
    hasInstallScript: entry.hasInstallScript === true,
    platformBound: ["os", "cpu", "libc"].some((key) => entry[key] !== undefined),
  };
}

function isStrong(integrity: unknown): boolean {
  return typeof integrity === "string" && integrity.split(/\s+/).some((each) => STRONG.test(each));
}

function isModulePath(path: string): boolean {
  return path.split("/node_modules/").every((part, index) => {
    const name = index === 0 ? part.replace(/^node_modules\//, "") : part;
    return (index > 0 || part.startsWith("node_modules/")) && isPackageName(name);
  });
}

function nameIn(path: string): string {
  return path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
}

function askedOf(root: Json, packages: readonly LockedPackage[]): readonly PackageVersion[] {
  const names = Object.keys(objectOf(root.dependencies ?? {}, "dependencies"));
  if (names.length === 0) throw invalid("it names no packages");
  return byName(
    names.map((name) => {
      const found = packages.find(({ path }) => path === `node_modules/${name}`);
      if (found === undefined) throw invalid(`${name} is asked for, and not in it`);
      if (found.name !== name) throw invalid(`${name} stands for another package`);
      return { name, version: found.version };
    }),
  );
}

/** What npm has not found it leaves out where it is optional, and misses it later when it installs by the lockfile. */
function without({ optionalDependencies, ...entry }: Json, present: ReadonlySet<string>): Json {
  const kept = Object.fromEntries(Object.entries(entry).filter(([key]) => !DROPPED.includes(key)));
  const optional = Object.entries(optionalDependencies ?? {}).filter(([name]) => present.has(name));
  return optional.length === 0 ? kept : { ...kept, optionalDependencies: Object.fromEntries(optional) };
}

function objectOf(value: unknown, what: string): Json {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Json;
  throw invalid(`${what} is no object; npm 7 and later write what is needed`);
}

function invalid(why: string, metadata: Readonly<Record<string, string>> = {}): DriverError {
  return new DriverError("INVALID_LOCKFILE", `the lockfile can't be used: ${why}`, { metadata });
}
