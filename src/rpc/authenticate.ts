import { hash, timingSafeEqual } from "node:crypto";
import { DriverError } from "../errors/driver-error.ts";

/** Checks the `authorization` header of every call, on both stacks. */
export type Authenticate = (header: string | undefined) => DriverError | undefined;

/** Compares digests, which have one length: neither the token's bytes nor its length show in the time that it takes. */
export function createAuthenticate(token: string): Authenticate {
  const expected = digest(token);
  return (header) => {
    if (header === undefined) return unauthenticated("the call carries no token (authorization: Bearer TOKEN)");
    const given = /^Bearer +(\S+) *$/i.exec(header)?.[1];
    if (given === undefined) return unauthenticated("the authorization header is not `Bearer TOKEN`");
    return timingSafeEqual(digest(given), expected) ? undefined : unauthenticated("the token is wrong");
  };
}

function unauthenticated(message: string): DriverError {
  return new DriverError("UNAUTHENTICATED", message);
}

function digest(text: string): Buffer {
  return hash("sha256", text, "buffer");
}
