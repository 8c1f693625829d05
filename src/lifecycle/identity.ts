import { createHash, randomBytes, randomUUID } from "node:crypto";

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
}): Identity {
  return {
    instanceId: randomUUID(),
    version: options.version,
    apiVersion: API_VERSION,
    profile: options.profile,
    fingerprint: fingerprintOf(options.version, options.profileBytes),
    startTime: new Date(Date.now() - process.uptime() * 1000),
    pid: process.pid,
  };
}

/**
 * SHA-256 (hex) over `version`, line feed, API version, line feed, and the bytes of the profile's file (none where there
 * is no file). Any language can compute it without knowing the settings.
 */
export function fingerprintOf(version: string, profileBytes: Uint8Array | undefined): string {
  return createHash("sha256")
    .update(`${version}\n${API_VERSION}\n`)
    .update(profileBytes ?? "")
    .digest("hex");
}

/** A new token: 256 random bits as text that fits a header. */
export function newToken(): string {
  return randomBytes(32).toString("base64url");
}
