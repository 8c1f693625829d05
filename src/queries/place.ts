import { closest, distance } from "fastest-levenshtein";
import { DriverError } from "../errors/driver-error.ts";
import type { Reason } from "../errors/reasons.ts";

/** A field of the request that is being planned, for example `measures[0].column`; relative to the query. */
export class Place {
  readonly path: string;

  constructor(path = "") {
    this.path = path;
  }

  /** A field below this one. */
  at(field: string): Place {
    return new Place(this.path === "" ? field : `${this.path}.${field}`);
  }

  /** An element of a list below this one. */
  item(field: string, index: number): Place {
    return this.at(`${field}[${index}]`);
  }

  /** An error at this field. */
  error(reason: Reason, description: string, metadata: Readonly<Record<string, string>> = {}): DriverError {
    const message = this.path === "" ? description : `${this.path}: ${description}`;
    return new DriverError(reason, message, { metadata, violations: [{ field: this.path, description }] });
  }
}

/** Says which known name was probably meant: `; did you mean "delay"?` or nothing. */
export function suggestion(name: string, known: readonly string[]): string {
  // With thousands of long names the distances would cost more than the hint is worth.
  if (known.length === 0 || name.length > 256) return "";
  const sameIgnoringCase = known.find((candidate) => candidate.toLowerCase() === name.toLowerCase());
  const nearest = sameIgnoringCase ?? closest(name, known);
  const near = sameIgnoringCase !== undefined || distance(name, nearest) <= Math.max(2, name.length / 3);
  return near ? `; did you mean ${JSON.stringify(nearest)}?` : "";
}
