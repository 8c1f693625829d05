import { resolve } from "node:path";
import { defaultDataDirectory } from "../address-file.ts";
import { checkAddress, checkFolder, checkLeaseName, checkMilliseconds, checkProfile } from "../checks.ts";
import type { Drover } from "../client.ts";
import { abortError, clientError, DroverError } from "../errors.ts";
import { follow } from "../follow/follow.ts";
import { readToken } from "../token.ts";
import { Deadline, pause, retryDelayMs } from "../transport/pause.ts";
import type { CallOptions } from "../transport/transport.ts";
import { clientVersion } from "../version.ts";
import { lookAtAddress } from "./address-look.ts";
import { dial } from "./dial.ts";
import type { DriverFinder, FindOptions, FoundDriver } from "./finder.ts";
import { instanceFilePath } from "./list-drivers.ts";
import { dialFile, type Place } from "./look.ts";
import type { EnsureDriverOptions } from "./options.ts";
import { Search } from "./search.ts";

const defaultTimeoutMs = 60_000;
/** One attempt at an address; a driver that is busy answers sooner. */
const dialTimeoutMs = 5_000;

/**
 * A client of a live driver of the profile, which is started where there is none, and of the next one whenever that is lost.
 * Throws DRIVER_START_FAILED, DRIVER_CRASH_LOOP, DRIVER_PROGRAM_NOT_FOUND, DRIVER_UNRESPONSIVE, DRIVER_NOT_FOUND (with
 * `start: false`), INCOMPATIBLE_DRIVER, UNREADABLE_TOKEN, DEADLINE_EXCEEDED after `timeoutMs` (default 60 s). For an address
 * outright: UNREACHABLE or DRIVER_NOT_PROVEN, once the time is over.
 */
export async function ensureDriver(
  options: EnsureDriverOptions = {},
  { signal, timeoutMs = defaultTimeoutMs }: Pick<CallOptions, "signal" | "timeoutMs"> = {},
): Promise<Drover> {
  checkOptions(options, timeoutMs);
  const finder = createFinder(options);
  const deadline = new Deadline({ signal, timeoutMs });
  const first = await finder.find({ signal: deadline.signal, remainingMs: () => deadline.remainingMs ?? timeoutMs });
  return follow(finder, first, { lease: options.lease, version: clientVersion });
}

/** What no driver would ever see, or refuse without anybody being told. */
function checkOptions({ lease, phaseTimeoutsMs, ...options }: EnsureDriverOptions, timeoutMs: number): void {
  if (lease) checkLeaseName(lease.name);
  const { keepaliveMs, unresponsiveAfterMs } = options;
  for (const [name, value] of Object.entries({ timeoutMs, keepaliveMs, unresponsiveAfterMs, ...phaseTimeoutsMs }))
    if (value !== undefined) checkMilliseconds(name, value);
}

/** Finds the driver that the options name, as often as it is asked. Throws INVALID_ARGUMENT. */
export function createFinder(options: EnsureDriverOptions): DriverFinder {
  const { address } = options;
  if (address !== undefined) {
    checkAddress(address);
    return { find: ({ signal }) => findAddress({ ...options, address }, signal) };
  }
  const place = placeOf(options);
  return {
    find: async (find) => {
      // Who only joins (a lease that is attached again) is no news.
      const onEvent = find.start === false ? undefined : options.onEvent;
      const search = new Search({ ...options, place, onEvent }, find);
      try {
        return await search.run();
      } catch (error) {
        throw find.signal.aborted ? outOfTime(find, search.why) : error;
      }
    },
    rejoin: async (instanceId, { signal }) => {
      const look = await lookAtAddress(instanceFilePath(place.dataDirectory, instanceId));
      if (look.kind === "address") return dialFile(place, look.file, signal);
      throw clientError("DRIVER_NOT_FOUND", `the driver instance ${instanceId} has ended`, {
        metadata: { instanceId },
      });
    },
  };
}

function placeOf({
  dataDirectory,
  profile,
  token,
  tokenFile,
  tls,
  keepaliveMs,
  maxMessageBytes,
}: EnsureDriverOptions): Place {
  const name = profile ?? (process.env.DROVER_PROFILE || "default");
  checkProfile(name);
  if (dataDirectory !== undefined) checkFolder("dataDirectory", dataDirectory);
  const folder = resolve(dataDirectory ?? defaultDataDirectory());
  return { dataDirectory: folder, profile: name, token, tokenFile, tls, keepaliveMs, maxMessageBytes };
}

/** Tries again until the time is over: the driver may be on its way up. It is never started from here. */
async function findAddress(
  options: EnsureDriverOptions & { readonly address: string },
  signal: AbortSignal,
): Promise<FoundDriver> {
  const token = await readToken(options);
  let last: DroverError | undefined;
  for (let repetition = 1; ; repetition++) {
    try {
      const found = await dial({ ...options, token }, { signal, timeoutMs: dialTimeoutMs });
      if (found.info.state === "serving") return found;
      await found.channel[Symbol.asyncDispose]();
      last = clientError("UNREACHABLE", `the driver at ${options.address} is ${found.info.state}`);
    } catch (error) {
      if (signal.aborted) throw ended(signal, last);
      if (!(error instanceof DroverError) || final.has(error.reason)) throw error;
      last =
        error.reason === "DEADLINE_EXCEEDED"
          ? clientError("UNREACHABLE", `the driver at ${options.address} does not answer`, { cause: error })
          : error;
    }
    const reason = last;
    await pause(retryDelayMs(repetition), signal).catch(() => {
      throw ended(signal, reason);
    });
  }
}

/** Out of time, the reason why there was no driver is the news; a caller who left knows why. */
function ended({ reason }: AbortSignal, last: DroverError | undefined): DroverError {
  const error = abortError(reason);
  return error.reason === "DEADLINE_EXCEEDED" ? (last ?? error) : error;
}

/** What no repetition changes. */
const final: ReadonlySet<string> = new Set([
  "UNAUTHENTICATED",
  "TOKEN_EXPIRED",
  "TOKEN_REVOKED",
  "INCOMPATIBLE_DRIVER",
  "INVALID_ARGUMENT",
  "CLIENT_CLOSED",
]);

function outOfTime({ signal }: FindOptions, why: string): DroverError {
  const error = abortError(signal.reason);
  if (error.reason !== "DEADLINE_EXCEEDED" || why === "") return error;
  return clientError("DEADLINE_EXCEEDED", `the deadline passed before there was a driver: ${why}`, { cause: error });
}
