import { DriverError } from "../../../errors/driver-error.ts";

/** A place in a user's SQL: the offset in UTF-16 units from 0, line and column from 1. */
export interface SqlPlace {
  readonly offset: number;
  readonly line: number;
  readonly column: number;
}

/** The place of an offset in bytes, as the engine's syntax trees count. */
export function placeOf(sql: string, byteOffset: number): SqlPlace {
  return placeAfter(Buffer.from(sql, "utf8").subarray(0, byteOffset).toString("utf8"));
}

/** The place of an offset in characters, as the engine's parser counts in its errors. */
export function placeOfCharacter(sql: string, characterOffset: number): SqlPlace {
  return placeAfter([...sql].slice(0, characterOffset).join(""));
}

function placeAfter(before: string): SqlPlace {
  const lineStart = before.lastIndexOf("\n") + 1;
  return {
    offset: before.length,
    line: before.split("\n").length,
    column: [...before.slice(lineStart)].length + 1,
  };
}

/** An error about a user's SQL that names the place, when it is known. */
export function sqlError(
  reason: "SQL_INVALID" | "SQL_FORBIDDEN",
  message: string,
  metadata: Readonly<Record<string, string>>,
  place: SqlPlace | undefined,
): DriverError {
  if (!place) return new DriverError(reason, message, { metadata });
  return new DriverError(reason, `${message} (line ${place.line}, column ${place.column})`, {
    metadata: {
      ...metadata,
      line: String(place.line),
      column: String(place.column),
      offset: String(place.offset),
    },
  });
}
