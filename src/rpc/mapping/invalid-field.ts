import { DriverError } from "../../errors/driver-error.ts";

/** INVALID_REQUEST for one field; `place` is its path from the request's root. */
export function invalidField(place: string, description: string): DriverError {
  return new DriverError("INVALID_REQUEST", `${place}: ${description}`, {
    metadata: { field: place },
    violations: [{ field: place, description }],
  });
}
