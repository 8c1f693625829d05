import { DriverError } from "../errors/driver-error.ts";

const FULL = new Set(["ENOSPC", "EDQUOT"]);
const UNUSABLE = new Set(["EACCES", "EPERM", "EROFS", "ENOTDIR", "EISDIR", "EEXIST", "ELOOP", "ENAMETOOLONG", "EIO"]);

/** Says in the catalogue's words why a driver can't start: what the system refuses then is in its data directory. */
export function asStartError(thrown: unknown): DriverError {
  if (!(thrown instanceof DriverError) && thrown instanceof Error && "code" in thrown) {
    const code = String(thrown.code);
    const options = { metadata: { code }, cause: thrown };
    if (FULL.has(code)) return new DriverError("DISK_FULL", thrown.message, options);
    if (UNUSABLE.has(code)) return new DriverError("DATA_DIRECTORY_UNUSABLE", thrown.message, options);
  }
  return DriverError.from(thrown);
}
