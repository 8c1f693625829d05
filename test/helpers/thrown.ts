import { DriverError } from "../../src/errors/driver-error.ts";

/** The error that some work throws. */
export function thrownBy(work: () => unknown): DriverError {
  try {
    work();
  } catch (error) {
    if (error instanceof DriverError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}
