import { join } from "node:path";

/*
 * datasets/<uid>/versions/<number>/manifest.json and the version's segments
 * datasets/<uid>/DELETED       the dataset is gone; its folder goes with its last reader
 * staging/<instance>/<name>/   a version to be; its owner is the driver process with that instance id
 * trash/<name>/                on its way out: removed at once, or at the next start
 */

/** What a reading engine must be allowed to read: every version's segments lie below it. */
export function datasetsFolder(dataDirectory: string): string {
  return join(dataDirectory, "datasets");
}

/** What a loading engine must be allowed to write: every staged version lies below it. */
export function stagingFolder(dataDirectory: string): string {
  return join(dataDirectory, "staging");
}

export function trashFolder(dataDirectory: string): string {
  return join(dataDirectory, "trash");
}

export function datasetFolder(dataDirectory: string, uid: string): string {
  return join(datasetsFolder(dataDirectory), uid);
}

export function versionsFolder(dataDirectory: string, uid: string): string {
  return join(datasetFolder(dataDirectory, uid), "versions");
}

export function versionFolder(dataDirectory: string, uid: string, number: number): string {
  return join(versionsFolder(dataDirectory, uid), String(number));
}

export function deletedMark(dataDirectory: string, uid: string): string {
  return join(datasetFolder(dataDirectory, uid), "DELETED");
}

export const MANIFEST_FILE = "manifest.json";

/** The number of a version's folder; undefined for a name that is no version's. */
export function versionNumber(folder: string): number | undefined {
  return /^[1-9][0-9]{0,14}$/.test(folder) ? Number(folder) : undefined;
}
