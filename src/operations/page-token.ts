import { createHash } from "node:crypto";
import { DriverError } from "../errors/driver-error.ts";

const CHECKSUM_CHARS = 22;

/** Makes an opaque token of where the next page begins. It holds only for the request that it was made for. */
export function encodePageToken(position: unknown, request: unknown): string {
  const body = JSON.stringify(position);
  return Buffer.from(`${checksum(body, request)}${body}`).toString("base64url");
}

/**
 * Reads a token; undefined for the first page. Throws INVALID_PAGE_TOKEN for any other than encodePageToken gave; whoever makes one
 * himself gets no further than to what `isPosition` takes.
 */
export function decodePageToken<T>(
  token: string,
  request: unknown,
  isPosition: (value: unknown) => value is T,
): T | undefined {
  if (token === "") return undefined;
  const text = Buffer.from(token, "base64url").toString();
  const body = text.slice(CHECKSUM_CHARS);
  const position = text.slice(0, CHECKSUM_CHARS) === checksum(body, request) ? parsed(body) : undefined;
  if (!isPosition(position))
    throw new DriverError("INVALID_PAGE_TOKEN", "the page token was altered or belongs to another request");
  return position;
}

/** Whether a value is a whole number that counts something. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

// A checksum and no signature: a token opens nothing that the request itself could not ask for, and it outlives a restart.
function checksum(body: string, request: unknown): string {
  return createHash("sha256")
    .update(JSON.stringify([body, request]))
    .digest("base64url")
    .slice(0, CHECKSUM_CHARS);
}
