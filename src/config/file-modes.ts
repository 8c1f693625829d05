import type { Settings } from "./settings.ts";

const OWNERS = { folder: 0o700, file: 0o600, secretFile: 0o600, umask: 0o077 };
/** Folders become 2770 by the bit that they inherit. */
const GROUPS = { folder: 0o770, file: 0o660, secretFile: 0o640, umask: 0o007 };

let modes = OWNERS;

/**
 * Decides who may use what this process makes in the data directory, which others may be able to enter. For the whole process,
 * since its umask is: engines and SQLite choose modes themselves.
 */
export function applySharing(share: Settings["share"]): void {
  modes = share === "group" ? GROUPS : OWNERS;
  process.umask(modes.umask);
}

export function folderMode(): number {
  return modes.folder;
}

export function fileMode(): number {
  return modes.file;
}

/** The mode of a file that lets its reader in: who shares it must not change it. */
export function secretFileMode(): number {
  return modes.secretFile;
}
