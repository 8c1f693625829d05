import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { checkProfile } from "./checks.ts";
import { clientError } from "./errors.ts";

/** What a driver says of itself in `<data directory>/drivers/<profile>.json`. */
export interface AddressFile {
  readonly pid: number;
  /** ISO 8601. */
  readonly startTime: string;
  /** The machine's boot; absent where it is not known. */
  readonly bootId?: string;
  /** `host:port`. */
  readonly address: string;
  readonly tls: boolean;
  /** The file that holds the token. */
  readonly tokenFile: string;
  readonly instanceId: string;
  readonly version: string;
  readonly fingerprint: string;
  readonly profile: string;
}

/** Where a driver's address file is looked for. */
export interface AddressFileLocation {
  /** Default: `$DROVER_DATA_DIR`, else `$XDG_DATA_HOME/drover`, else `~/.local/share/drover`. */
  readonly dataDirectory?: string | undefined;
  /** Default: `$DROVER_PROFILE`, else `default`. */
  readonly profile?: string | undefined;
}

const formatVersion = 1;

/** The data directory that a driver takes by default in this environment. */
export function defaultDataDirectory(env: Readonly<Record<string, string | undefined>> = process.env): string {
  if (env.DROVER_DATA_DIR) return env.DROVER_DATA_DIR;
  return join(env.XDG_DATA_HOME || join(homedir(), ".local", "share"), "drover");
}

/** The path of the address file of a profile. Throws INVALID_ARGUMENT if no profile can have that name. */
export function addressFilePath({ dataDirectory, profile }: AddressFileLocation): string {
  const name = profile ?? (process.env.DROVER_PROFILE || "default");
  checkProfile(name);
  return join(dataDirectory ?? defaultDataDirectory(), "drivers", `${name}.json`);
}

/** Reads the address file of a profile. Throws DRIVER_NOT_FOUND if it is not there or names a process that is gone. */
export async function readAddressFile(location: AddressFileLocation): Promise<AddressFile> {
  const file = addressFilePath(location);
  const content = parse(await read(file), file);
  if (!(await isThisBoot(content.bootId))) throw notFound(file, "was written before this machine was last booted");
  if (!isAlive(content.pid)) throw notFound(file, `names process ${content.pid}, which is gone`);
  return content;
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
    throw notFound(file, missing ? "is not there" : `can't be read: ${(error as Error).message}`, error);
  }
}

function parse(text: string, file: string): AddressFile {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw notFound(file, "is not JSON", error);
  }
  const {
    formatVersion: format,
    address,
    pid,
    tokenFile,
  } = content as Partial<AddressFile & { formatVersion: number }>;
  if (format !== formatVersion) throw notFound(file, `has format ${format}, and this client reads ${formatVersion}`);
  if (typeof address === "string" && typeof pid === "number" && typeof tokenFile === "string")
    return content as AddressFile;
  throw notFound(file, "lacks address, pid or tokenFile");
}

/** A pid of another boot may be anybody's. */
async function isThisBoot(bootId: string | undefined): Promise<boolean> {
  const present = await readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => undefined);
  return bootId === undefined || present === undefined || present.trim() === bootId;
}

/** Signal 0 only asks; EPERM means that it is there and another user's. */
function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function notFound(file: string, why: string, cause?: unknown) {
  return clientError("DRIVER_NOT_FOUND", `no driver: the address file ${file} ${why}`, { cause, metadata: { file } });
}
