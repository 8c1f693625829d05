import type { DriverProgram, EnsureEvent, StartFailure } from "../../../node/src/index.ts";
import { printable } from "./cell.ts";
import { durationText } from "./units.ts";

/** Says in a line what happened on the way to a driver; undefined for what a person need not read. */
export function stepText(event: EnsureEvent): string | undefined {
  switch (event.type) {
    case "passedOver":
      return event.instanceId === undefined
        ? undefined
        : `The driver that runs is not the one that is wanted: ${printable(event.why)}`;
    case "waiting":
      return printable(event.why);
    case "backoff":
      return `${event.failures} starts in a row have failed (${printable(event.lastReason)}): the next one waits ${durationText(event.delayMs)}`;
    case "killed":
      return `Process ${event.pid} was killed: ${printable(event.why)}`;
    case "starting":
      return `${event.replaces === undefined ? "Starting a driver" : "Starting the driver's successor"} (${programText(event.program)})`;
    case "failed":
      return `The start failed: ${printable(event.failure.message)}`;
    case "phase":
    case "lostRace":
    case "connected":
      return undefined;
    default:
      event satisfies never;
      return undefined;
  }
}

/** Which program was started, and who named it. */
export function programText({ command, origin, version }: DriverProgram): string {
  const from = { option: "as asked for", DROVER_DRIVER: "named by DROVER_DRIVER", package: "of @drover/driver" }[
    origin
  ];
  return `${command.map(printable).join(" ")}, ${from}${version === undefined ? "" : `, version ${version}`}`;
}

/** What the log of a failed start says: its first exception, else its end. */
export function logTail({ firstException, lastLines }: StartFailure): string {
  const shown = firstException === "" ? lastLines.slice(-10) : firstException.split("\n").slice(0, 10);
  return shown.map((line) => `  ${printable(line)}`).join("\n");
}
