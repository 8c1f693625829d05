import { homedir } from "node:os";
import { join } from "node:path";
import { checkProfile } from "./checks.ts";
import { lookAtAddress } from "./ensure/address-look.ts";
import { judgeProcess } from "./ensure/process-judgement.ts";
import { clientError } from "./errors.ts";

/** What a driver says of itself in `<data directory>/drivers/<profile>.json`; docs/lifecycle.md. */
export interface AddressFile {
  readonly profile: string;
  readonly instanceId: string;
  readonly version: string;
  readonly apiVersion: string;
  readonly fingerprint: string;
  /** `host:port`. */
  readonly address: string;
  readonly tls: boolean;
  /** The file that holds the token. */
  readonly tokenFile: string;
  readonly hostname?: string;
  /** The machine's boot; absent where it is not known. */
  readonly bootId?: string;
  /** In which `pid` counts. */
  readonly pidNamespace?: string;
  readonly pid: number;
  /** When the process was started, in clock ticks since the boot. */
  readonly startTicks?: number;
  /** ISO 8601. */
  readonly startTime: string;
  readonly launchId?: string;
  readonly logFile?: string;
}

/** Where a driver's address file is looked for. */
export interface AddressFileLocation {
  /** Default: `$DROVER_DATA_DIR`, else `$XDG_DATA_HOME/drover`, else `~/.local/share/drover`. */
  readonly dataDirectory?: string | undefined;
  /** Default: `$DROVER_PROFILE`, else `default`. */
  readonly profile?: string | undefined;
}

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
  const path = addressFilePath(location);
  const look = await lookAtAddress(path);
  if (look.kind === "none") throw notFound(path, `the address file ${path} is not there`);
  if (look.kind !== "address") throw notFound(path, look.why);
  const { file } = look;
  if ((await judgeProcess(file)) === "gone")
    throw notFound(path, `the address file ${path} names process ${file.pid}, which is gone`);
  return file;
}

function notFound(file: string, why: string) {
  return clientError("DRIVER_NOT_FOUND", `no driver: ${why}`, { metadata: { file } });
}
