import { hash, timingSafeEqual } from "node:crypto";
import type { Bearer } from "../access/access.ts";
import { DriverError } from "../errors/driver-error.ts";

/** How long something may go on after the end of its token, as the contract promises. */
export const TOKENS_LOOKED_AT_EVERY_MS = 500;

/** Finds out by the `authorization` header of a call, on both stacks, what it may do; why it is refused otherwise. */
export type Authenticate = (header: string | undefined) => Bearer | DriverError;

/** The principal of a caller that shows the token of the token file and no certificate. */
const OWNER: Bearer = { principal: "owner", tokenId: undefined, role: "admin", scope: undefined };

/** Finds the token of a text beside the one of the token file; undefined where there is none. */
export type FindToken = (text: string) => Bearer | DriverError | undefined;

/** Compares digests, which have one length: neither the token's bytes nor its length show in the time that it takes. */
export function createAuthenticate(token: string, find: FindToken): Authenticate {
  const expected = digest(token);
  return (header) => {
    if (header === undefined) return unauthenticated("the call carries no token (authorization: Bearer TOKEN)");
    const given = /^Bearer +(\S+) *$/i.exec(header)?.[1];
    if (given === undefined) return unauthenticated("the authorization header is not `Bearer TOKEN`");
    if (timingSafeEqual(digest(given), expected)) return OWNER;
    return find(given) ?? unauthenticated("the token is wrong");
  };
}

/** The token of the token file says nothing of who shows it; a certificate may. */
export function named(bearer: Bearer, certificateName: string | readonly string[] | undefined): Bearer {
  const name = typeof certificateName === "object" ? certificateName[0] : certificateName;
  return name === undefined || bearer.tokenId !== undefined ? bearer : { ...bearer, principal: name };
}

function unauthenticated(message: string): DriverError {
  return new DriverError("UNAUTHENTICATED", message);
}

function digest(text: string): Buffer {
  return hash("sha256", text, "buffer");
}
