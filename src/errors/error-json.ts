import { DriverError } from "./driver-error.ts";
import { type Reason, reasons } from "./reasons.ts";

/** An error as the catalog keeps it. */
export interface ErrorJson {
  readonly reason: string;
  readonly message: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly violations: DriverError["violations"];
}

export function errorToJson({ reason, message, metadata, violations }: DriverError): ErrorJson {
  return { reason, message, metadata, violations };
}

/** A reason that a later driver has written and this one doesn't know becomes INTERNAL. */
export function errorFromJson({ reason, message, metadata, violations }: ErrorJson): DriverError {
  const known = Object.hasOwn(reasons, reason) ? (reason as Reason) : "INTERNAL";
  return new DriverError(known, message, { metadata, violations });
}
