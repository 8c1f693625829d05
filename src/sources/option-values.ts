import {
  invalidOption as invalid,
  type OptionSchema,
  type OptionValues,
  parseOptions as parse,
} from "@drover/connector";
import { suggest } from "../config/suggest.ts";
import type { DriverError } from "../errors/driver-error.ts";
import { asDriverError, driverErrorOf } from "./connector-error.ts";

export type { OptionValues } from "@drover/connector";

/** Checks names and values. Every type may come as text; null leaves an option out. Throws UNKNOWN_OPTION, INVALID_OPTION. */
export function parseOptions(
  kind: string,
  schema: OptionSchema,
  options: Readonly<Record<string, unknown>>,
): OptionValues {
  try {
    return parse(kind, schema, options, { suggest });
  } catch (error) {
    throw asDriverError(error);
  }
}

/** An INVALID_OPTION error: names the option, what it holds and what it should. */
export function invalidOption(name: string, raw: unknown, expected: string): DriverError {
  return driverErrorOf(invalid(name, raw, expected));
}
