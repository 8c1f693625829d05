import { DriverError } from "../../errors/driver-error.ts";

/** An identifier as SQL text. Every name is quoted, so keywords, spaces, quotes and emoji are names like any other. */
export function quoteIdentifier(name: string): string {
  return `"${refuseNul(name).replaceAll('"', '""')}"`;
}

/** A text literal. Values of clients are bound as parameters instead; this is for paths and constants of our own. */
export function quoteLiteral(text: string): string {
  return `'${refuseNul(text).replaceAll("'", "''")}'`;
}

// The binding hands statements over as C strings: whatever follows a NUL would be cut off.
function refuseNul(text: string): string {
  if (text.includes("\0")) throw new DriverError("INVALID_REQUEST", "a name or text holds the character U+0000");
  return text;
}
