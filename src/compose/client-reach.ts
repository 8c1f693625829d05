import { realpath } from "node:fs/promises";
import { join } from "node:path";
import type { Settings } from "../config/settings.ts";
import { DriverError } from "../errors/driver-error.ts";
import type { HttpAccess } from "../sources/connector.ts";
import { isUrlRule } from "../sources/http/allowed-urls.ts";

/** What sources that clients name may reach. */
export interface ClientReach {
  /** Folders, made real; undefined allows any path. */
  readonly fileRoots: readonly string[] | undefined;
  /** Files and folders of the driver itself, which no source may name wherever the roots are. */
  readonly reserved: readonly string[];
  readonly http: HttpAccess;
}

/** What lies in a data directory: secrets, and datasets that only the driver may open. */
const RESERVED = [
  ...["secrets.key", "token", "catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-shm", "drivers", "instances"],
  ...["datasets", "staging", "uploads", "work", "trash", "logs", "profiles", "library-sets"],
];

/** Before it is known where the driver listens. */
export const NO_REACH: ClientReach = { fileRoots: [], reserved: [], http: { allowed: [], maxBytes: 0 } };

/** On loopback anything unless the settings say otherwise: whoever holds the token could read and fetch it anyway. */
export async function clientReach(
  settings: Settings,
  { loopback, dataDirectory }: { readonly loopback: boolean; readonly dataDirectory: string },
): Promise<ClientReach> {
  const usual = loopback ? undefined : [];
  const { fileRoots, httpSources, limits } = settings;
  const roots = fileRoots.length === 0 ? usual : await Promise.all(fileRoots.map(realRoot));
  const allowed = httpSources.length === 0 ? usual : httpSources.map(checkedRule);
  return {
    fileRoots: fileRoots.includes("*") ? undefined : roots,
    // As paths are compared: with links followed, and as it is said.
    reserved: [
      settings.tokenFile,
      ...(await realOf(settings.tokenFile)),
      ...RESERVED.map((name) => join(dataDirectory, name)),
    ],
    http: { allowed: httpSources.includes("*") ? undefined : allowed, maxBytes: limits.maxFetchBytes },
  };
}

/** Nothing where it can't be told. */
function realOf(path: string): Promise<readonly string[]> {
  return realpath(path).then(
    (real) => [real],
    () => [],
  );
}

function realRoot(folder: string): Promise<string> {
  if (folder === "*") return Promise.resolve(folder);
  return realpath(folder).catch((error: Error) => {
    throw new DriverError("CONFIG_INVALID", `fileRoots: ${folder}: ${error.message}`, { cause: error });
  });
}

function checkedRule(rule: string): string {
  if (isUrlRule(rule)) return rule;
  throw new DriverError(
    "CONFIG_INVALID",
    `httpSources: ${JSON.stringify(rule)} is no origin (https://data.example.com)`,
  );
}
