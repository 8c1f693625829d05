import { type AddressFile, addressFilePath } from "../address-file.ts";
import { clientError, DroverError } from "../errors.ts";
import { readToken } from "../token.ts";
import type { ConnectionOptions } from "../transport/open-client.ts";
import { type AddressLook, lookAtAddress } from "./address-look.ts";
import { dial } from "./dial.ts";
import type { FoundDriver } from "./finder.ts";
import { judgeProcess } from "./process-judgement.ts";

/** Where a profile's driver is looked for. */
export interface Place extends ConnectionOptions {
  /** Absolute. */
  readonly dataDirectory: string;
  readonly profile: string;
  readonly token?: string | undefined;
  /** Default: the one that the address file names. */
  readonly tokenFile?: string | undefined;
}

/** What was found where an address file points to. */
export type Sight =
  /** It serves; whoever asked disposes of the channel. */
  | { readonly kind: "serving"; readonly found: FoundDriver; readonly file: AddressFile }
  /** There is none that takes work: `why` in words, where there is more to say than that there is none. */
  | {
      readonly kind: "none";
      readonly why: string;
      /** What stands in the way of a driver that may well serve. */
      readonly obstacle?: DroverError;
    }
  /** Something takes connections there and says nothing. */
  | {
      readonly kind: "silent";
      readonly file: AddressFile;
      readonly why: string;
      /** The user whose word its address file is, if nobody else may write it. */
      readonly writer: number | undefined;
    };

/** How long a driver may take to answer before it counts as silent. */
const answerTimeoutMs = 2_000;

/** Looks once. Throws INCOMPATIBLE_DRIVER, UNREADABLE_TOKEN, and the signal's reason. */
export async function look(place: Place, signal: AbortSignal): Promise<Sight> {
  return sightOf(place, await lookAtAddress(addressFilePath(place)), signal);
}

/** The same with an address file that was read already. */
export async function sightOf(place: Place, address: AddressLook, signal: AbortSignal): Promise<Sight> {
  if (address.kind === "none") return { kind: "none", why: "" };
  if (address.kind === "newer")
    return { kind: "none", why: address.why, obstacle: clientError("INCOMPATIBLE_DRIVER", address.why) };
  if (address.kind !== "address") return { kind: "none", why: address.why };
  const { file, writer } = address;
  if (file.profile !== place.profile)
    return { kind: "none", why: `its address file is the one of the profile ${JSON.stringify(file.profile)}` };
  if ((await judgeProcess(file)) === "gone") return { kind: "none", why: `process ${file.pid} is gone` };
  try {
    const found = await dialFile(place, file, signal);
    if (found.info.state === "serving") return { kind: "serving", found, file };
    await found.channel[Symbol.asyncDispose]();
    return { kind: "none", why: `the driver at ${file.address} is ${found.info.state}` };
  } catch (error) {
    if (signal.aborted || !(error instanceof DroverError)) throw error;
    if (error.reason === "DEADLINE_EXCEEDED")
      return {
        kind: "silent",
        file,
        writer,
        why: `the driver at ${file.address} (process ${file.pid}) does not answer`,
      };
    if (error.reason === "DRIVER_NOT_PROVEN" || isTokenGone(error, place))
      return { kind: "none", why: error.message, obstacle: error };
    if (passing.has(error.reason)) return { kind: "none", why: error.message };
    throw error;
  }
}

/** After these another look, or a start, may do better. */
const passing: ReadonlySet<string> = new Set(["UNREACHABLE", "STREAM_CUT", "NOT_SERVING"]);

/** The next driver makes a new one. A token file that the caller names is the caller's to make. */
function isTokenGone({ reason, cause }: DroverError, { tokenFile }: Place): boolean {
  return (
    reason === "UNREADABLE_TOKEN" && tokenFile === undefined && (cause as NodeJS.ErrnoException)?.code === "ENOENT"
  );
}

/** Connects to the driver that an address file names, in whatever state it is. */
export async function dialFile(place: Place, file: AddressFile, signal: AbortSignal): Promise<FoundDriver> {
  const { address, instanceId, tls } = file;
  const token = await readToken({ token: place.token, tokenFile: place.tokenFile ?? file.tokenFile });
  return dial(
    { ...place, address, token, tls: tls ? (place.tls ?? {}) : undefined, expected: { instanceId, address } },
    { signal, timeoutMs: answerTimeoutMs },
  );
}
