import { clientError } from "./errors.ts";

/** A whole number of at least 0 as the wire carries it. Throws INVALID_ARGUMENT for anything else. */
export function wholeNumber(name: string, value: number): bigint {
  if (Number.isSafeInteger(value) && value >= 0) return BigInt(value);
  throw clientError("INVALID_ARGUMENT", `${name}: ${value} is no whole number of at least 0`, { metadata: { name } });
}

/** Throws INVALID_ARGUMENT unless it is `host:port`; an IPv6 address stands in brackets. */
export function checkAddress(address: string): void {
  if (isAddress(address)) return;
  throw clientError("INVALID_ARGUMENT", `the address "${address}" is not HOST:PORT`, { metadata: { address } });
}

/** Whether a text is `host:port`; an IPv6 address stands in brackets. */
export function isAddress(text: string): boolean {
  const port = Number(/^(?:\[[\da-fA-F:.%]+\]|[^\s:/[\]]+):(\d{1,5})$/.exec(text)?.[1]);
  return port >= 1 && port <= 65535;
}

/** Throws INVALID_ARGUMENT unless a driver can have a profile of this name. */
export function checkProfile(profile: string): void {
  if (/^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/.test(profile)) return;
  throw clientError("INVALID_ARGUMENT", `"${profile}" is no name of a profile: lower case letters, digits and "-"`, {
    metadata: { profile },
  });
}

/** Throws INVALID_ARGUMENT unless it is a number of milliseconds, or infinite. */
export function checkMilliseconds(name: string, value: number): void {
  if (typeof value === "number" && value >= 0) return;
  throw clientError("INVALID_ARGUMENT", `${name}: ${String(value)} is no time in milliseconds`, { metadata: { name } });
}

/** Throws INVALID_ARGUMENT for an empty path, which would mean wherever the program happens to run. */
export function checkFolder(name: string, path: string): void {
  if (typeof path === "string" && path.trim() !== "") return;
  throw clientError("INVALID_ARGUMENT", `${name}: ${JSON.stringify(path)} is no folder`, { metadata: { name } });
}

/** Throws INVALID_ARGUMENT unless a driver takes it as the name of who holds a lease. */
export function checkLeaseName(name: string): void {
  if (typeof name === "string" && name.length >= 1 && name.length <= 200) return;
  throw clientError("INVALID_ARGUMENT", "lease.name: a name has 1 to 200 characters", {
    metadata: { name: "lease.name" },
  });
}

/** Whether a text can travel as a token. */
export function isToken(text: string): boolean {
  return /^[\x21-\x7e]+$/.test(text);
}

/** A part that every answer has. Throws UNEXPECTED_MESSAGE where it is missing. */
export function required<T>(part: T | undefined): T {
  if (part === undefined) throw clientError("UNEXPECTED_MESSAGE", "the driver's answer lacks its content");
  return part;
}
