import { fstatSync } from "node:fs";
import { isAbsolute } from "node:path";
import { DriverError } from "../errors/driver-error.ts";

/** What a client that starts a driver tells it beside the settings; all undefined for `serve` by hand. */
export interface LaunchArguments {
  readonly id: string | undefined;
  /** The open descriptor that launch messages are written to. */
  readonly descriptor: number | undefined;
  /** The file that stderr is appended to. */
  readonly logFile: string | undefined;
  /** The instance that this driver is to take over from. */
  readonly replaces: string | undefined;
}

const NAMES = ["launch-id", "launch-fd", "log-file", "replaces"] as const;
const ID = /^[A-Za-z0-9._-]{1,100}$/;

/**
 * Splits the arguments of `serve` into those of docs/lifecycle.md, which are no settings and show in no usage text, and the
 * rest. Throws USAGE.
 */
export function takeLaunchArguments(args: readonly string[]): { launch: LaunchArguments; rest: readonly string[] } {
  const taken = new Map<string, string>();
  const rest: string[] = [];
  for (let index = 0; index < args.length; index++) {
    const argument = args[index] ?? "";
    const name = NAMES.find((each) => argument === `--${each}` || argument.startsWith(`--${each}=`));
    if (name === undefined) {
      rest.push(argument);
      continue;
    }
    const value = argument.length > name.length + 2 ? argument.slice(name.length + 3) : args[++index];
    if (!value) throw new DriverError("USAGE", `--${name} needs a value`);
    taken.set(name, value);
  }
  const launch = {
    id: readId("launch-id", taken.get("launch-id")),
    descriptor: readDescriptor(taken.get("launch-fd")),
    logFile: readLogFile(taken.get("log-file")),
    replaces: readId("replaces", taken.get("replaces")),
  };
  if (launch.descriptor !== undefined && launch.id === undefined) {
    throw new DriverError("USAGE", "--launch-fd needs --launch-id");
  }
  return { launch, rest };
}

function readId(name: string, value: string | undefined): string | undefined {
  if (value === undefined || ID.test(value)) return value;
  throw new DriverError("USAGE", `--${name}: expected at most 100 letters, digits, ".", "_" and "-"`);
}

/** Other descriptors than a pipe or socket from outside may be the runtime's own. */
function readDescriptor(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const descriptor = Number(value);
  if (!/^\d{1,4}$/.test(value) || descriptor < 3 || !isPipe(descriptor)) {
    throw new DriverError("USAGE", `--launch-fd: ${value} is no open pipe`);
  }
  return descriptor;
}

function isPipe(descriptor: number): boolean {
  try {
    const stats = fstatSync(descriptor);
    return stats.isFIFO() || stats.isSocket();
  } catch {
    return false;
  }
}

function readLogFile(value: string | undefined): string | undefined {
  if (value === undefined || isAbsolute(value)) return value;
  throw new DriverError("USAGE", "--log-file: expected an absolute path");
}
