import { clientError } from "../errors.ts";
import type { StartFailure } from "./options.ts";

/** Why there is no driver after a launch. */
export function startFailed(failure: StartFailure) {
  const { program, phase, message, logFile, driverReason, reason, exitCode, signal, launchId } = failure;
  const said = driverReason === undefined ? message : `${driverReason}: ${message}`;
  return clientError(
    "DRIVER_START_FAILED",
    `the driver did not start (${program.command.join(" ")}, phase ${phase}): ${said}; its log is ${logFile}`,
    {
      start: failure,
      metadata: {
        ...{ reason, phase, logFile, launchId },
        ...(driverReason === undefined ? {} : { driverReason }),
        ...(exitCode === null ? {} : { exitCode: String(exitCode) }),
        ...(signal === null ? {} : { signal }),
      },
    },
  );
}

/** What the system refuses before there is a process lies in the data directory: it is full, read-only, or another user's. */
export function asStartFailure(error: unknown, place: { readonly dataDirectory: string; readonly profile: string }) {
  const code = systemCode(error);
  if (code === undefined) return error;
  const message = `no driver can be started: the data directory ${place.dataDirectory} takes no files: ${(error as Error).message}`;
  const metadata = { reason: "DIRECTORY_UNUSABLE", code, profile: place.profile };
  return clientError("DRIVER_START_FAILED", message, { cause: error, metadata });
}

/** Of the file system, or of SQLite. */
function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  const code = String(error.code);
  return "errno" in error || "errcode" in error ? code : undefined;
}
