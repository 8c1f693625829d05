import { DroverError } from "../../node/src/index.ts";
import type { Output } from "./output.ts";
import { logTail } from "./render/start-steps.ts";
import { UsageError } from "./usage-error.ts";

/** What the exit codes say. */
export const exitCodes = { done: 0, failed: 1, usage: 2, noDriver: 3, interrupted: 130, terminated: 143 } as const;

const noDriverReasons: ReadonlySet<string> = new Set([
  "UNREACHABLE",
  "DRIVER_NOT_FOUND",
  "DRIVER_NOT_PROVEN",
  "DRIVER_PROGRAM_NOT_FOUND",
  "DRIVER_START_FAILED",
  "DRIVER_CRASH_LOOP",
  "DRIVER_UNRESPONSIVE",
]);

/** The exit code for an end by a signal. */
export function signalExitCode(name: NodeJS.Signals): number {
  return name === "SIGINT" ? exitCodes.interrupted : exitCodes.terminated;
}

/** The exit code for an error. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return exitCodes.usage;
  if (!(error instanceof DroverError)) return exitCodes.failed;
  if (noDriverReasons.has(error.reason)) return exitCodes.noDriver;
  // The client refused what it was given before it asked the driver.
  if (error.reason === "INVALID_ARGUMENT") return exitCodes.usage;
  return exitCodes.failed;
}

const unwritable: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT", "EFBIG", "EPIPE"]);

/** A file of the command's own that can't be written any more, or a pipe that nobody reads on, is nobody's mistake in code. */
function isUnwritable(error: unknown): error is Error {
  return error instanceof Error && "code" in error && unwritable.has(String(error.code));
}

/** Says on standard error what went wrong and what to do: `drover: REASON: message`, then the help. */
export function report(error: unknown, output: Output, startCommand: string): void {
  const { red, dim } = output.errorStyle;
  if (error instanceof UsageError) {
    output.note(`${red("drover: USAGE:")} ${error.message}`);
    if (error.help !== "") output.note(dim(error.help));
    return;
  }
  if (isUnwritable(error)) {
    output.note(`${red("drover:")} ${error.message}`);
    return;
  }
  if (!(error instanceof DroverError)) {
    output.note(
      `${red("drover: INTERNAL:")} ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
    return;
  }
  output.note(`${red(`drover: ${error.reason}:`)} ${error.message}`);
  // A single one is told in the message.
  if (error.violations.length > 1)
    for (const { field, description } of error.violations) output.note(`  ${field}: ${description}`);
  if (error.start !== undefined && error.start.lastLines.length > 0) output.note(logTail(error.start));
  const help = helpFor(error, startCommand);
  if (help !== "") output.note(dim(help));
  if (error.reason === "INTERNAL" && error.requestId !== "") output.note(dim(`Request id: ${error.requestId}`));
}

/** The client's help speaks of calls, this one of the command line. */
function helpFor({ reason, help, start, cause }: DroverError, startCommand: string): string {
  switch (reason) {
    case "DRIVER_NOT_FOUND":
      if (cause instanceof DroverError) return help;
      return cause === undefined ? `Start a driver with: ${startCommand}` : "Run it as a user who may read it.";
    case "DRIVER_START_FAILED":
      return start === undefined ? "" : "Mend what it says, then try again; `drover logs` shows the whole log.";
    case "DRIVER_CRASH_LOOP":
      return "Mend what the log says (`drover logs`), or give it more time by --timeout.";
    case "UNREACHABLE":
      return `Check the address, or start a driver with: ${startCommand}`;
    case "UNAUTHENTICATED":
    case "UNREADABLE_TOKEN":
      return "Give the driver's token by --token-file or DROVER_TOKEN_FILE; `drover serve` keeps it in its data directory.";
    case "DRIVER_NOT_PROVEN":
      return "Look what listens at that address, and whether --token-file or DROVER_TOKEN_FILE names that driver's token.";
    case "RESULT_OVER_LIMIT":
      return "Add --stream to print the result batch by batch.";
    default:
      return help;
  }
}
