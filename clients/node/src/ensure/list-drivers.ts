import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type AddressFile, defaultDataDirectory } from "../address-file.ts";
import { clientError, DroverError } from "../errors.ts";
import type { DriverInfo } from "../model.ts";
import type { ConnectionOptions } from "../transport/open-client.ts";
import type { CallOptions } from "../transport/transport.ts";
import { lookAtAddress } from "./address-look.ts";
import { dialFile } from "./look.ts";
import type { EnsureDriverOptions } from "./options.ts";
import { judgeProcess } from "./process-judgement.ts";
import { compareDriver, type DriverFit, profileHashOf, readProfile, type WantedProfile } from "./profile-fit.ts";
import { resolveProgram, versionOf } from "./program.ts";
import { isOfAnotherProfile, readStarts } from "./starts-record.ts";

/** A driver of a data directory. */
export interface ListedDriver {
  readonly file: AddressFile;
  /** Whether the profile's address file names it: new work goes there. */
  readonly current: boolean;
  /** What it says of itself; undefined where it does not answer. */
  readonly info: DriverInfo | undefined;
  /** Why it does not answer. */
  readonly error: DroverError | undefined;
  /** Whether its profile would use it; undefined where it does not answer. */
  readonly fit: DriverFit | undefined;
}

export interface ListDriversOptions
  extends ConnectionOptions,
    Pick<EnsureDriverOptions, "program" | "token" | "tokenFile"> {
  readonly dataDirectory?: string | undefined;
}

/** Where what stands in a driver's address file stays until its process ends. */
export function instanceFilePath(dataDirectory: string, instanceId: string): string {
  return join(dataDirectory, "instances", `${instanceId}.json`);
}

/**
 * Answers whether a driver's process has ended, for whoever is about to end it: looked at now, since the file goes a moment
 * before the process. Of a process on another host only its file tells, which stays there when it was killed.
 */
export async function endOf(dataDirectory: string, instanceId: string): Promise<() => Promise<boolean>> {
  const look = () => lookAtAddress(instanceFilePath(resolve(dataDirectory), instanceId));
  const first = await look();
  return async () => {
    const judgement = first.kind === "address" ? await judgeProcess(first.file) : "unknown";
    return judgement === "gone" || (judgement === "unknown" && (await look()).kind === "none");
  };
}

/** All drivers of a data directory, those that drain among them; profile by profile, the current one first. */
export async function listDrivers(options: ListDriversOptions = {}, call: CallOptions = {}): Promise<ListedDriver[]> {
  const dataDirectory = resolve(options.dataDirectory ?? defaultDataDirectory());
  const current = await addressFiles(join(dataDirectory, "drivers"));
  const all = new Map<string, AddressFile>();
  for (const file of [...current, ...(await addressFiles(join(dataDirectory, "instances")))])
    if ((await judgeProcess(file)) !== "gone") all.set(file.instanceId, file);
  const owners = new Set(current.map(({ instanceId }) => instanceId));
  const listed = await Promise.all(
    [...all.values()].map((file) => describe(options, dataDirectory, file, owners, call)),
  );
  return listed.sort((a, b) => a.file.profile.localeCompare(b.file.profile) || Number(b.current) - Number(a.current));
}

async function addressFiles(folder: string): Promise<readonly AddressFile[]> {
  const names = await readdir(folder).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT" || cause.code === "ENOTDIR") return [];
    throw clientError("DRIVER_NOT_FOUND", `the folder of drivers can't be read: ${cause.message}`, { cause });
  });
  const looks = names
    .filter((name) => name.endsWith(".json") && !name.endsWith(".starts.json"))
    .map((name) => lookAtAddress(join(folder, name)));
  return (await Promise.all(looks)).flatMap((look) => (look.kind === "address" ? [look.file] : []));
}

async function describe(
  options: ListDriversOptions,
  dataDirectory: string,
  file: AddressFile,
  owners: ReadonlySet<string>,
  { signal = new AbortController().signal }: CallOptions,
): Promise<ListedDriver> {
  const { profile, instanceId } = file;
  const current = owners.has(instanceId);
  try {
    const { channel, info } = await dialFile({ ...options, dataDirectory, profile }, file, signal);
    await channel[Symbol.asyncDispose]();
    const program = await resolveProgram(options.program).catch(() => undefined);
    const wanted = { profile, version: program && (await versionOf(program)) };
    const fit = await readProfile(dataDirectory, profile).then(
      (stands) => withFailure(compareDriver(info, { ...wanted, ...stands }), dataDirectory, profile, stands),
      (error: Error) => ({ usable: true, replaces: false, why: `the profile can't be read: ${error.message}` }),
    );
    return { file, current, info, error: undefined, fit };
  } catch (error) {
    if (!(error instanceof DroverError) || signal.aborted) throw error;
    return { file, current, info: undefined, error, fit: undefined };
  }
}

/** Says why the driver that is to replace one did not start, where the last one did not. */
async function withFailure(
  fit: DriverFit,
  dataDirectory: string,
  profile: string,
  stands: WantedProfile,
): Promise<DriverFit> {
  if (!fit.replaces) return fit;
  const record = await readStarts(dataDirectory, profile);
  if (record?.outcome !== "failed" || isOfAnotherProfile(record, profileHashOf(stands))) return fit;
  return { ...fit, why: `${fit.why}; its successor did not start: ${record.lastReason}` };
}
