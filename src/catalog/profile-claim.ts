import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { DriverError } from "../errors/driver-error.ts";
import { tryLock } from "./sqlite/lock-file.ts";

export interface ProfileClaimOptions {
  readonly dataDirectory: string;
  readonly profile: string;
}

/**
 * Makes this process the profile's one driver on the data directory until it is disposed or dies: drivers that start
 * together find no address file, so that can't decide. The lock file stays, since whoever removed it might remove one that
 * another process has just locked. Throws ALREADY_RUNNING.
 */
export async function claimProfile({ dataDirectory, profile }: ProfileClaimOptions): Promise<Disposable> {
  const folder = join(dataDirectory, "drivers");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const lock = tryLock(join(folder, `${profile}.lock`));
  if (lock === undefined) {
    throw new DriverError(
      "ALREADY_RUNNING",
      `another driver of the profile ${JSON.stringify(profile)} starts or runs on ${dataDirectory}`,
      { metadata: { profile, dataDirectory } },
    );
  }
  return {
    [Symbol.dispose]: () => {
      if (lock.isOpen) lock.close();
    },
  };
}
