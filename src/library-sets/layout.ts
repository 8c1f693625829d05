import { join } from "node:path";

/** All library sets of a data directory. */
export function librarySetsFolder(dataDirectory: string): string {
  return join(dataDirectory, "library-sets");
}

/** A set's folder: its manifest, its lockfile and `node_modules`. */
export function setFolder(dataDirectory: string, hash: string): string {
  return join(librarySetsFolder(dataDirectory), hash);
}

/** One file for each name: `{ "name", "hash", "createTime", "createdBy" }`. Other programs read it for the fingerprint. */
export function namesFolder(dataDirectory: string): string {
  return join(librarySetsFolder(dataDirectory), "names");
}

/** What is being installed, in folders whose names begin with their driver's instance id. */
export function stagingFolder(dataDirectory: string): string {
  return join(librarySetsFolder(dataDirectory), "staging");
}

export const MANIFEST_FILE = "set.json";
export const LOCK_FILE = "package-lock.json";

/** Lower case, so that a name is one file on every file system, and nothing that has to be escaped in a configuration file. */
const NAME = /^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$/;
const HASH = /^[0-9a-f]{64}$/;

export function isSetName(name: string): boolean {
  return NAME.test(name);
}

export function isSetHash(hash: string): boolean {
  return HASH.test(hash);
}
