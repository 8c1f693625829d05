import { createHash, randomBytes, randomUUID } from "node:crypto";
import { standsQuoted } from "../config/quoted-name.ts";

/** Who this driver is, for its whole life. */
export interface Identity {
  /** Made anew at every start. */
  readonly instanceId: string;
  readonly version: string;
  readonly apiVersion: string;
  readonly profile: string;
  /** See `fingerprintOf`. */
  readonly fingerprint: string;
  readonly startTime: Date;
  readonly pid: number;
}

export const API_VERSION = "drover.v1";

export function createIdentity(options: {
  readonly version: string;
  readonly profile: string;
  readonly profileBytes: Uint8Array | undefined;
  /** The hashes of all library sets by name. */
  readonly setHashes: ReadonlyMap<string, string>;
}): Identity {
  return {
    instanceId: randomUUID(),
    version: options.version,
    apiVersion: API_VERSION,
    profile: options.profile,
    fingerprint: fingerprintOf(options.version, options.profileBytes, options.setHashes),
    startTime: new Date(Date.now() - process.uptime() * 1000),
    pid: process.pid,
  };
}

/**
 * SHA-256 (hex) over `version`, line feed, API version, line feed, the bytes of the profile's file (none where there is no
 * file), and for each library set whose name stands there in quotes, by name: line feed, name, space, hash. Any language can
 * compute it without knowing the settings, or TOML.
 */
export function fingerprintOf(
  version: string,
  profileBytes: Uint8Array | undefined,
  setHashes: ReadonlyMap<string, string>,
): string {
  const hash = createHash("sha256").update(`${version}\n${API_VERSION}\n`);
  if (profileBytes === undefined) return hash.digest("hex");
  hash.update(profileBytes);
  const named = [...setHashes.keys()].filter((name) => standsQuoted(profileBytes, name)).sort();
  for (const name of named) hash.update(`\n${name} ${setHashes.get(name)}`);
  return hash.digest("hex");
}

/** A new token: 256 random bits as text that fits a header. */
export function newToken(): string {
  return randomBytes(32).toString("base64url");
}
