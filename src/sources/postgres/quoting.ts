import { DriverError } from "../../errors/driver-error.ts";

/** A name as SQL. */
export function quoteName(name: string): string {
  return `"${refuseNul(name).replaceAll('"', '""')}"`;
}

/** A text as a literal whose type the place decides. Good where standard_conforming_strings is on, as in our sessions. */
export function quoteText(text: string): string {
  return `'${refuseNul(text).replaceAll("'", "''")}'`;
}

function refuseNul(text: string): string {
  if (text.includes("\0")) throw new DriverError("INVALID_OPTION", "a name or text holds the character U+0000");
  return text;
}
