import { readFileSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Identity } from "./identity.ts";

/** What stands in `<dataDir>/drivers/<profile>.json`: how clients find a driver and tell whether it is still that one. */
export interface AddressFile {
  readonly formatVersion: 1;
  readonly pid: number;
  /** ISO 8601. */
  readonly startTime: string;
  /** The machine's boot, so that a pid of another boot is never taken for this driver; absent where it is not known. */
  readonly bootId?: string;
  /** `host:port`, to be dialled. */
  readonly address: string;
  readonly tls: boolean;
  /** Absolute path of the file that holds the token. */
  readonly tokenFile: string;
  readonly instanceId: string;
  readonly version: string;
  readonly fingerprint: string;
  readonly profile: string;
}

export function addressFilePath(dataDir: string, profile: string): string {
  return join(dataDir, "drivers", `${profile}.json`);
}

export function describeAddress(
  identity: Identity,
  options: { readonly address: string; readonly tls: boolean; readonly tokenFile: string },
): AddressFile {
  const bootId = readBootId();
  return {
    formatVersion: 1,
    pid: identity.pid,
    startTime: identity.startTime.toISOString(),
    ...(bootId === undefined ? {} : { bootId }),
    ...options,
    instanceId: identity.instanceId,
    version: identity.version,
    fingerprint: identity.fingerprint,
    profile: identity.profile,
  };
}

/** Writes the file whole: readers see the old one or the new one. */
export async function writeAddressFile(file: string, content: AddressFile): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const draft = `${file}.${content.instanceId}.tmp`;
  try {
    await writeFile(draft, `${JSON.stringify(content, undefined, 2)}\n`, { mode: 0o600, flush: true });
    await rename(draft, file);
  } finally {
    await rm(draft, { force: true });
  }
}

/** Reads the file; undefined if it is not there or not one of ours. */
export function readAddressFile(file: string): AddressFile | undefined {
  try {
    const content: unknown = JSON.parse(readFileSync(file, "utf8"));
    return isAddressFile(content) ? content : undefined;
  } catch {
    return undefined;
  }
}

/** Removes the file if it still names this instance: a driver that took over keeps its own. */
export async function withdrawAddressFile(file: string, instanceId: string): Promise<void> {
  if (readAddressFile(file)?.instanceId === instanceId) await rm(file, { force: true });
}

function isAddressFile(content: unknown): content is AddressFile {
  const { formatVersion, address, pid, instanceId } = (content ?? {}) as Partial<AddressFile>;
  return (
    formatVersion === 1 && typeof address === "string" && typeof pid === "number" && typeof instanceId === "string"
  );
}

function readBootId(): string | undefined {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return undefined;
  }
}
