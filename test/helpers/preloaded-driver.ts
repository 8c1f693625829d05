import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { writeProgram } from "./driver-processes.ts";

const faultInStart = join(import.meta.dirname, "../faults/programs/fault-in-start.mjs");
const steppingClock = join(import.meta.dirname, "stepping-clock.mjs");

/** What happens in a start; fault-in-start.mjs says what it means. */
export interface StartFault {
  readonly phase: "configuration" | "catalog" | "engine" | "serving";
  readonly act: "kill" | "stop" | "never";
  readonly once?: string;
  readonly limit?: string;
}

export interface PreloadedDriver {
  /** Where the program is written. */
  readonly folder: string;
  /** The driver's bundle. */
  readonly driverFile: string;
}

/** A program that runs the driver and lets something happen to it in its start. */
export function driverWithFault(place: PreloadedDriver, fault: StartFault): Promise<string> {
  const url = pathToFileURL(faultInStart);
  for (const [name, value] of Object.entries(fault)) url.searchParams.set(name, value);
  return preloaded(place, `faulty-${fault.act}-${fault.phase}`, url);
}

/** A program that runs the driver with a clock that is set by hours, forth and back. */
export function driverWithSteppingClock(place: PreloadedDriver): Promise<string> {
  return preloaded(place, "stepping", pathToFileURL(steppingClock));
}

function preloaded({ folder, driverFile }: PreloadedDriver, name: string, { href }: URL): Promise<string> {
  return writeProgram(folder, name, `exec '${process.execPath}' --import '${href}' '${driverFile}' "$@"`);
}
