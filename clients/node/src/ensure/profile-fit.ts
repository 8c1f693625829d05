import { createHash } from "node:crypto";
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
}

/** What there is to know of a running driver. */
export interface RunningDriver {
  readonly version: string;
  readonly apiVersion: string;
  readonly fingerprint: string;
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

/** SHA-256 in hex, as docs/lifecycle.md defines it. */
export function fingerprintOf(version: string, profileBytes: Uint8Array): string {
  return createHash("sha256").update(`${version}\n${apiVersion}\n`).update(profileBytes).digest("hex");
}

/** The bytes of a profile's file; empty where there is none. */
export async function readProfile(dataDirectory: string, profile: string): Promise<Uint8Array> {
  try {
    return (await readSmallFile(join(dataDirectory, "profiles", `${profile}.toml`), maxProfileBytes)).bytes;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT" || (error as NodeJS.ErrnoException).code === "ENOTDIR")
      return new Uint8Array();
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
  const sameProfile = running.fingerprint === fingerprintOf(running.version, wanted.profileBytes);
  if (!sameProfile) differences.push(`the profile \`${wanted.profile}\` has changed since it started`);
  return { usable: true, replaces: order < 0 || (order === 0 && !sameProfile), why: differences.join("; ") };
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
