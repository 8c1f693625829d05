import { clientError } from "./errors.ts";

/** A whole number of at least 0 as the wire carries it. Throws INVALID_ARGUMENT for anything else. */
export function wholeNumber(name: string, value: number): bigint {
  if (Number.isSafeInteger(value) && value >= 0) return BigInt(value);
  throw clientError("INVALID_ARGUMENT", `${name}: ${value} is no whole number of at least 0`, { metadata: { name } });
}

/** Throws INVALID_ARGUMENT unless it is `host:port`; an IPv6 address stands in brackets. */
export function checkAddress(address: string): void {
  const port = Number(/^(?:\[[\da-fA-F:.%]+\]|[^\s:/[\]]+):(\d{1,5})$/.exec(address)?.[1]);
  if (port >= 1 && port <= 65535) return;
  throw clientError("INVALID_ARGUMENT", `the address "${address}" is not HOST:PORT`, { metadata: { address } });
}

/** Throws INVALID_ARGUMENT unless a driver can have a profile of this name. */
export function checkProfile(profile: string): void {
  if (/^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/.test(profile)) return;
  throw clientError("INVALID_ARGUMENT", `"${profile}" is no name of a profile: lower case letters, digits and "-"`, {
    metadata: { profile },
  });
}

/** Whether a text can travel as a token. */
export function isToken(text: string): boolean {
  return /^[\x21-\x7e]+$/.test(text);
}
