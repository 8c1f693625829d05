import { mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { folderMode, secretFileMode } from "../config/file-modes.ts";
import { readSmallFile } from "../config/small-file.ts";
import type { Identity } from "./identity.ts";
import { type ProcessFacts, readProcessFacts } from "./process-facts.ts";

/**
 * What stands in `<dataDir>/drivers/<profile>.json`: how clients find a driver and tell whether it is still that one. The
 * fields are described in docs/lifecycle.md.
 */
export interface AddressFile extends ProcessFacts {
  readonly formatVersion: 1;
  readonly profile: string;
  readonly instanceId: string;
  readonly version: string;
  readonly apiVersion: string;
  readonly fingerprint: string;
  /** `host:port`, to be dialled. */
  readonly address: string;
  readonly tls: boolean;
  /** Absolute path of the file that holds the token. */
  readonly tokenFile: string;
  readonly pid: number;
  /** ISO 8601. */
  readonly startTime: string;
  /** The launch that started it; absent for `serve` by hand, as `logFile`. */
  readonly launchId?: string;
  readonly logFile?: string;
}

export interface AddressFacts {
  readonly address: string;
  readonly tls: boolean;
  readonly tokenFile: string;
  readonly launch: { readonly id: string | undefined; readonly logFile: string | undefined };
}

export function addressFilePath(dataDir: string, profile: string): string {
  return join(dataDir, "drivers", `${profile}.json`);
}

/** Where the same stands until the process ends, also while it drains. */
export function instanceFilePath(dataDir: string, instanceId: string): string {
  return join(dataDir, "instances", `${instanceId}.json`);
}

export function describeAddress(identity: Identity, { launch, ...facts }: AddressFacts): AddressFile {
  return {
    formatVersion: 1,
    profile: identity.profile,
    instanceId: identity.instanceId,
    version: identity.version,
    apiVersion: identity.apiVersion,
    fingerprint: identity.fingerprint,
    ...facts,
    ...readProcessFacts(),
    pid: identity.pid,
    startTime: identity.startTime.toISOString(),
    ...(launch.id === undefined ? {} : { launchId: launch.id }),
    ...(launch.logFile === undefined ? {} : { logFile: launch.logFile }),
  };
}

/** Writes the file whole: readers see the old one or the new one. After a power cut it means nothing, so it is not synced. */
export async function writeAddressFile(file: string, content: AddressFile): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: folderMode() });
  const draft = `${file}.${content.instanceId}.tmp`;
  try {
    await writeFile(draft, `${JSON.stringify(content, undefined, 2)}\n`, { mode: secretFileMode() });
    await rename(draft, file);
  } finally {
    await rm(draft, { force: true });
  }
}

/** Removes what drivers left that were killed while they wrote the file. Only for whoever holds the profile's lock. */
export async function removeAddressDrafts(file: string): Promise<void> {
  for (const name of await readdir(dirname(file)))
    if (name.startsWith(`${basename(file)}.`) && name.endsWith(".tmp"))
      await rm(join(dirname(file), name), { force: true });
}

/** Whose file it is; undefined if it is not there or names nobody. Throws where it can't be read for now. */
export async function addressFileOwner(file: string): Promise<string | undefined> {
  try {
    const content: unknown = JSON.parse(await readSmallFile(file));
    const { instanceId } = (content ?? {}) as Partial<AddressFile>;
    return typeof instanceId === "string" ? instanceId : undefined;
  } catch (error) {
    // Too many open files, or a disk that failed this once, says nothing about the owner.
    if (["EMFILE", "ENFILE", "EIO", "EINTR"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
    return undefined;
  }
}

/** Removes the file if it still names this instance: a driver that took over keeps its own. */
export async function withdrawAddressFile(file: string, instanceId: string): Promise<void> {
  if ((await addressFileOwner(file)) === instanceId) await rm(file, { force: true });
}
