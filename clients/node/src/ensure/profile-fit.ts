import { createHash } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { apiVersion } from "../api-version.ts";
import { readSmallFile } from "../small-file.ts";

const maxProfileBytes = 2 ** 20;

/** What a client wants of a profile's driver now. */
export interface WantedDriver {
  readonly profile: string;
  /** Of the program that would be started; undefined where there is none here: any version will do. */
  readonly version: string | undefined;
  /** The profile's file as it stands; empty without one. */
  readonly profileBytes: Uint8Array;
  /** The library sets that the file names, as they are now. Default: none. */
  readonly librarySets?: readonly NamedSet[] | undefined;
}

/** A library set's name and what it points to. */
export interface NamedSet {
  readonly name: string;
  readonly hash: string;
}

/** A profile as it stands on disk. */
export type WantedProfile = Pick<WantedDriver, "profileBytes"> & { readonly librarySets: readonly NamedSet[] };

/** What there is to know of a running driver. */
export interface RunningDriver {
  readonly version: string;
  readonly apiVersion: string;
  readonly fingerprint: string;
  /** Those that it works with. */
  readonly librarySets?: readonly NamedSet[] | undefined;
}

/** Whether a running driver is the one that is wanted. */
export interface DriverFit {
  /** Whether it may be used. */
  readonly usable: boolean;
  /** Whether it is to be replaced by a new one. */
  readonly replaces: boolean;
  /** What differs, in words; empty if nothing does. */
  readonly why: string;
}

/** SHA-256 in hex, as docs/lifecycle.md defines it; of sets only those that the file names. */
export function fingerprintOf(version: string, profileBytes: Uint8Array, sets: readonly NamedSet[]): string {
  const hash = createHash("sha256").update(`${version}\n${apiVersion}\n`).update(profileBytes);
  for (const { name, hash: content } of sets.toSorted(byName)) hash.update(`\n${name} ${content}`);
  return hash.digest("hex");
}

/** As the fingerprint, whatever program reads the profile. */
export function profileHashOf({ profileBytes, librarySets }: WantedProfile): string {
  return fingerprintOf("", profileBytes, librarySets);
}

/** A profile's file, empty where there is none, and the library sets whose names stand in it. */
export async function readProfile(dataDirectory: string, profile: string): Promise<WantedProfile> {
  const file = join(dataDirectory, "profiles", `${profile}.toml`);
  const profileBytes = await unlessGone(readSmallFile(file, maxProfileBytes).then(({ bytes }) => bytes));
  if (profileBytes === undefined) return { profileBytes: new Uint8Array(), librarySets: [] };
  const folder = join(dataDirectory, "library-sets", "names");
  const names = ((await unlessGone(readdir(folder))) ?? []).filter((entry) => setFile.test(entry)).map(withoutEnding);
  const sets = await Promise.all(namedIn(profileBytes, names).map((name) => readSet(folder, name)));
  return { profileBytes, librarySets: sets.filter((set) => set !== undefined) };
}

const absent = new Set(["ENOENT", "ENOTDIR", "EISDIR"]);
const setFile = /^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?\.json$/;

function withoutEnding(file: string): string {
  return file.slice(0, -".json".length);
}

/** Those of the names that stand in double or single quotes in the file. */
function namedIn(bytes: Uint8Array, names: readonly string[]): readonly string[] {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return names.filter((name) => text.includes(`"${name}"`) || text.includes(`'${name}'`));
}

/** Undefined where what stands there says no hash: then it is none for the driver, too. */
async function readSet(folder: string, name: string): Promise<NamedSet | undefined> {
  try {
    const { text } = await readSmallFile(join(folder, `${name}.json`));
    const { hash } = (JSON.parse(text) ?? {}) as { readonly hash?: unknown };
    return typeof hash === "string" && /^[0-9a-f]{64}$/.test(hash) ? { name, hash } : undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined || absent.has(code)) return undefined;
    throw error;
  }
}

/** Names are ASCII: everybody sorts them in this order. */
function byName(a: NamedSet, b: NamedSet): number {
  return a.name < b.name ? -1 : Number(a.name > b.name);
}

async function unlessGone<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (absent.has((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
}

/** Compares a running driver with what is wanted. Replacements go one way: never back to an older version. */
export function compareDriver(running: RunningDriver, wanted: WantedDriver): DriverFit {
  if (running.apiVersion !== apiVersion) {
    const why = `API version: wanted ${apiVersion}, running ${running.apiVersion}`;
    return { usable: false, replaces: false, why };
  }
  const version = wanted.version ?? running.version;
  const order = compareVersions(running.version, version);
  const differences: string[] = [];
  if (order !== 0)
    differences.push(`version: wanted ${version}, running ${running.version} (${order < 0 ? "older" : "newer"})`);
  const sets = wanted.librarySets ?? [];
  const sameProfile = running.fingerprint === fingerprintOf(running.version, wanted.profileBytes, sets);
  if (!sameProfile) differences.push(changeOf(running, wanted, sets));
  return { usable: true, replaces: order < 0 || (order === 0 && !sameProfile), why: differences.join("; ") };
}

/** What has changed since it started, in words. */
function changeOf(running: RunningDriver, { profile, profileBytes }: WantedDriver, sets: readonly NamedSet[]): string {
  const { version, fingerprint, librarySets = [] } = running;
  const then = sets.map((set) => librarySets.find(({ name }) => name === set.name) ?? set);
  const changed = sets.filter(({ hash }, index) => hash !== then[index]?.hash).map(({ name }) => `\`${name}\``);
  if (changed.length > 0 && fingerprint === fingerprintOf(version, profileBytes, then))
    return `the library set${changed.length > 1 ? "s" : ""} ${changed.join(", ")} of the profile \`${profile}\` changed since it started`;
  return `the profile \`${profile}\` has changed since it started`;
}

/** Less than 0 if `a` is older. Of `1.2.3-rc.1`, what stands behind the dash makes it older than `1.2.3`. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [splitVersion(a), splitVersion(b)];
  for (let index = 0; index < 3; index++) {
    const difference = (left.numbers[index] ?? 0) - (right.numbers[index] ?? 0);
    if (difference !== 0) return difference;
  }
  if (left.preview === right.preview) return 0;
  if (left.preview === "" || right.preview === "") return left.preview === "" ? 1 : -1;
  return left.preview.localeCompare(right.preview, "en", { numeric: true });
}

function splitVersion(version: string): { readonly numbers: readonly number[]; readonly preview: string } {
  const [release = "", ...preview] = (version.split("+")[0] ?? "").split("-");
  return { numbers: release.split(".").map((part) => Number.parseInt(part, 10) || 0), preview: preview.join("-") };
}
