import { DriverError } from "../errors/driver-error.ts";

/** For whom an app server calls. It says so itself: the driver trusts whoever holds the token. */
export const END_USER_HEADER = "drover-end-user";

const END_USER = /^[\x20-\x7e]{1,200}$/;

/** Throws INVALID_REQUEST for what can't be shown in lists and logs as it is. */
export function readEndUser(header: string | undefined): string | undefined {
  if (header === undefined || END_USER.test(header)) return header;
  throw new DriverError("INVALID_REQUEST", `${END_USER_HEADER} is not 1 to 200 printable ASCII characters`, {
    metadata: { header: END_USER_HEADER },
  });
}
