import { join, resolve } from "node:path";
import { DriverError } from "../errors/driver-error.ts";
import { type ConfigFile, type FileEntry, readBytes, readConfigFile } from "./config-file.ts";
import type { Flags } from "./flags.ts";
import { inspectMachine, type Machine } from "./machine.ts";
import { divideMemory } from "./memory-shares.ts";
import { type NamedSetting, namedSettings } from "./paths.ts";
import { standsQuoted } from "./quoted-name.ts";
import type { Settings } from "./settings.ts";
import { suggest } from "./suggest.ts";

/** Where a value came from: `flag --listen`, `environment DROVER_LISTEN`, `/etc/drover.toml:3` or `default`. */
export type Origins = Readonly<Record<string, string>>;

export interface LoadedConfig {
  readonly settings: Settings;
  readonly origins: Origins;
  /** The file that was read, if any: `--config`, `DROVER_CONFIG`, or the profile's. */
  readonly file: string | undefined;
  /** What was in the profile's own file; undefined where there is none. */
  readonly profileBytes: Uint8Array | undefined;
  /** What deserves a line in the log: variables named DROVER_… that are no setting. */
  readonly warnings: readonly string[];
}

export interface ConfigSources {
  readonly flags: Flags;
  readonly environment: NodeJS.ProcessEnv;
  readonly machine?: Machine;
}

const DEFAULT_PROFILE = "default";
/** Variables that the driver's clients and its launcher read. */
const OTHER_VARIABLES = new Set(["DROVER_CONFIG", "DROVER_ADDRESS"]);

interface Given {
  readonly raw: unknown;
  readonly origin: string;
}

/** Reads all settings: flag before environment before file before default. Throws CONFIG_INVALID with the place. */
export function loadConfig({ flags, environment, machine = inspectMachine(environment) }: ConfigSources): LoadedConfig {
  const named = namedSettings();
  const direct = new Map<string, Given>();
  for (const { key, flag, variable } of named) {
    const fromFlag = flags.values.get(flag);
    const fromEnvironment = environment[variable];
    if (fromFlag !== undefined) direct.set(key, { raw: fromFlag, origin: `flag --${flag}` });
    else if (fromEnvironment) direct.set(key, { raw: fromEnvironment, origin: `environment ${variable}` });
  }
  const value = (key: string) => readOne(find(named, key), direct.get(key), machine);
  const dataDir = String(value("dataDir") || machine.dataHome);
  const profile = String(value("profile"));
  const profileFile = join(resolve(dataDir), "profiles", `${profile}.toml`);
  const tables = new Set(named.filter(({ setting }) => setting.isTable).map(({ key }) => key));
  const file = chooseFile(flags, environment, { profile, profileFile, tables });
  const given = new Map([...fileValues(file, named, direct, tables), ...direct]);

  const origins: Record<string, string> = {};
  const result: Record<string, unknown> = {};
  for (const entry of named) {
    const from = given.get(entry.key);
    origins[entry.key] = from?.origin ?? "default";
    put(result, entry.path, readOne(entry, from, machine));
  }
  const settings = complete(result as unknown as Settings, machine);
  // The bytes that the settings were read from, if they were: the fingerprint must not be of a file that changed since.
  const profileBytes = file?.path === profileFile ? file.bytes : readBytes(profileFile);
  return { settings, origins, file: file?.path, profileBytes, warnings: unknownVariables(environment, named) };
}

function find(named: readonly NamedSetting[], key: string): NamedSetting {
  const found = named.find((entry) => entry.key === key);
  if (found === undefined) throw new Error(`no setting ${key}`);
  return found;
}

function readOne({ key, setting }: NamedSetting, given: Given | undefined, machine: Machine): unknown {
  if (given === undefined) return setting.fallback.value(machine);
  try {
    return setting.read(given.raw);
  } catch (error) {
    const { message } = error as Error;
    throw new DriverError("CONFIG_INVALID", `${given.origin}: ${key}: ${message}`, { metadata: { key }, cause: error });
  }
}

/** A file that was named must be there; only the default profile may do without. */
function chooseFile(
  flags: Flags,
  environment: NodeJS.ProcessEnv,
  options: { readonly profile: string; readonly profileFile: string; readonly tables: ReadonlySet<string> },
): ConfigFile | undefined {
  const { profile, profileFile, tables } = options;
  const namedFile = flags.values.get("config") ?? (environment.DROVER_CONFIG || undefined);
  const path = resolve(typeof namedFile === "string" ? namedFile : profileFile);
  const file = readConfigFile(path, tables);
  if (file !== undefined) return file;
  if (namedFile !== undefined) throw new DriverError("CONFIG_INVALID", `the configuration file ${path} is not there`);
  if (profile !== DEFAULT_PROFILE) {
    throw new DriverError("CONFIG_INVALID", `the profile ${JSON.stringify(profile)} has no file ${path}`, {
      metadata: { profile, file: path },
    });
  }
  return undefined;
}

function fileValues(
  file: ConfigFile | undefined,
  named: readonly NamedSetting[],
  direct: ReadonlyMap<string, Given>,
  tables: ReadonlySet<string>,
): [string, Given][] {
  const known = named.map(({ key }) => key);
  return (file?.entries ?? []).map(({ key, value, place }) => {
    if (!known.includes(key)) {
      throw new DriverError(
        "CONFIG_INVALID",
        `${place}: unknown setting ${JSON.stringify(key)}${suggest(key, known)}`,
        {
          metadata: { key, place },
        },
      );
    }
    // Which file is read depends on these two: a file that names others would contradict itself.
    if ((key === "profile" || key === "dataDir") && !direct.has(key)) {
      throw new DriverError(
        "CONFIG_INVALID",
        `${place}: ${key} can't be set in a file; use a flag or the environment`,
        {
          metadata: { key, place },
        },
      );
    }
    // Its text form has no quoted names, by which others find the sets in the file (docs/lifecycle.md).
    if (tables.has(key) && typeof value === "string")
      throw new DriverError("CONFIG_INVALID", `${place}: ${key}: expected a table, got ${JSON.stringify(value)}`, {
        metadata: { key, place },
      });
    if (tables.has(key)) requireQuotedNames({ key, value, place }, file?.bytes ?? new Uint8Array());
    return [key, { raw: value, origin: place }];
  });
}

/** A set whose name others do not find in the file could change without anybody starting a new driver. */
function requireQuotedNames({ key, value, place }: FileEntry, bytes: Uint8Array): void {
  const names = typeof value === "object" && value !== null ? Object.values(value) : [];
  const hidden = names.find((name) => typeof name === "string" && name !== "" && !standsQuoted(bytes, name));
  if (hidden === undefined) return;
  const name = JSON.stringify(hidden);
  throw new DriverError(
    "CONFIG_INVALID",
    `${place}: ${key}: write ${name} just so, in quotes on one line and without escapes, since clients look for it in the file`,
    { metadata: { key, place } },
  );
}

function put(target: Record<string, unknown>, [name, ...rest]: readonly string[], value: unknown): void {
  if (name === undefined) return;
  if (rest.length === 0) {
    target[name] = value;
    return;
  }
  target[name] ??= {};
  put(target[name] as Record<string, unknown>, rest, value);
}

/** Fills in the paths that depend on others and checks what several settings say together. */
function complete(settings: Settings, machine: Machine): Settings {
  const dataDir = resolve(settings.dataDir || machine.dataHome);
  const tokenFile = resolve(settings.tokenFile || join(dataDir, "token"));
  const { certFile, keyFile, clientCaFile } = settings.tls;
  if ((certFile === "") !== (keyFile === "")) {
    throw new DriverError("CONFIG_INVALID", "tls.certFile and tls.keyFile must be given together");
  }
  if (clientCaFile !== "" && certFile === "") {
    throw new DriverError("CONFIG_INVALID", "tls.clientCaFile needs tls.certFile and tls.keyFile");
  }
  const residency = { ...settings.residency, budget: divideMemory(settings).resident };
  return { ...settings, dataDir, tokenFile, residency };
}

/**
 * Not errors: Kubernetes puts `DROVER_PORT`, `DROVER_SERVICE_HOST` and more into every pod beside a Service named `drover`.
 */
function unknownVariables(environment: NodeJS.ProcessEnv, named: readonly NamedSetting[]): readonly string[] {
  const known = named.map(({ variable }) => variable);
  return Object.keys(environment)
    .filter((name) => name.startsWith("DROVER_") && !known.includes(name) && !OTHER_VARIABLES.has(name))
    .map((name) => `environment: ${name} is no setting${suggest(name, known)}`);
}
