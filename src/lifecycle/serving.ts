import { DriverError } from "../errors/driver-error.ts";
import type { Readiness } from "./readiness.ts";

/** Throws NOT_SERVING unless the driver takes work. */
export function requireServing({ serving, state }: Readiness): void {
  if (serving) return;
  throw new DriverError("NOT_SERVING", `the driver is ${state} and takes no work`, { metadata: { state } });
}
