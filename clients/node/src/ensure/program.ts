import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile, realpath, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { clientError } from "../errors.ts";
import type { DriverProgram, EnsureDriverOptions } from "./options.ts";

const driverPackage = "@drover/driver";
const versionTimeoutMs = 2_000;

/**
 * The driver's program: the option, else `$DROVER_DRIVER`, else the package `@drover/driver`. Throws
 * DRIVER_PROGRAM_NOT_FOUND.
 */
export async function resolveProgram(option: EnsureDriverOptions["program"]): Promise<DriverProgram> {
  if (option !== undefined && option.length > 0)
    return describe(typeof option === "string" ? [option] : option, "option");
  const variable = process.env.DROVER_DRIVER;
  if (variable) return describe([variable], "DROVER_DRIVER");
  return fromPackage();
}

async function describe(words: readonly string[], origin: DriverProgram["origin"]): Promise<DriverProgram> {
  const command = words.map(absolute);
  return { command, origin, version: await versionFromFiles(command) };
}

/** The driver runs in its data directory; paths are meant from here. */
function absolute(word: string, index: number): string {
  const isPath = word.includes("/") && (index === 0 || (!word.startsWith("-") && existsSync(word)));
  return isPath ? resolve(word) : word;
}

async function fromPackage(): Promise<DriverProgram> {
  const require = createRequire(import.meta.url);
  let file: string;
  try {
    file = require.resolve(`${driverPackage}/package.json`);
  } catch (cause) {
    throw clientError(
      "DRIVER_PROGRAM_NOT_FOUND",
      `there is no driver to start: neither the option \`program\` nor DROVER_DRIVER is set, and ${driverPackage} is not installed`,
      { cause },
    );
  }
  const { version, bin } = JSON.parse(await readFile(file, "utf8")) as Package;
  const program = join(dirname(file), bin?.["drover-driver"] ?? "bin/drover-driver");
  return { command: [program], origin: "package", version };
}

interface Package {
  readonly name?: string;
  readonly version?: string;
  readonly bin?: Readonly<Record<string, string>>;
}

/** The program's version, by running it where its files do not say it. */
export async function versionOf({ command, version }: DriverProgram): Promise<string | undefined> {
  return version ?? (await askVersion(command));
}

/** From the package that one of the command's files belongs to. */
async function versionFromFiles(command: readonly string[]): Promise<string | undefined> {
  for (const word of command.toReversed()) {
    const version = word.includes("/") ? await packageVersion(word) : undefined;
    if (version !== undefined) return version;
  }
  return undefined;
}

async function packageVersion(path: string): Promise<string | undefined> {
  const file = await realpath(path).catch(() => undefined);
  if (file === undefined) return undefined;
  for (let folder = dirname(file); folder !== dirname(folder); folder = dirname(folder)) {
    const text = await readFile(join(folder, "package.json"), "utf8").catch(() => undefined);
    if (text === undefined) continue;
    const { name, version } = parsePackage(text);
    if (name === "drover" || name === driverPackage) return version;
  }
  return undefined;
}

function parsePackage(text: string): Package {
  try {
    return JSON.parse(text) as Package;
  } catch {
    return {};
  }
}

const asked = new Map<string, Promise<string | undefined>>();

/** Once for each state of the program's files: it takes a start of the program. */
async function askVersion(command: readonly string[]): Promise<string | undefined> {
  const [file = "", ...args] = command;
  const key = JSON.stringify([command, await Promise.all(command.map(changeTime))]);
  const known = asked.get(key) ?? runForVersion(file, args);
  asked.set(key, known);
  const version = await known;
  // It may have been busy only.
  if (version === undefined) asked.delete(key);
  return version;
}

function changeTime(word: string): Promise<number> {
  return stat(word).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
}

async function runForVersion(file: string, args: readonly string[]): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)(file, [...args, "--version"], {
      timeout: versionTimeoutMs,
      maxBuffer: 64 * 1024,
    });
    return /^\s*(\d+\.\d+\.\d+\S*)\s*$/.exec(stdout)?.[1];
  } catch {
    // Whatever is wrong with it shows, and is told, when it is started.
    return undefined;
  }
}
