import { DriverError } from "../errors/driver-error.ts";

/** Bounds of what a record keeps of an error. */
const MAX_MESSAGE_CHARS = 4_000;
const MAX_VALUE_CHARS = 1_000;
const MAX_ENTRIES = 20;

/**
 * What a record keeps of an error: what was sent, bounded, without stack and causes. Until somebody reads an error's stack
 * V8 keeps every object on it alive: 200 queries whose readers had left held 190 MB, the batches they were sending.
 */
export function keptError({ reason, message, metadata, violations }: DriverError): DriverError {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return new DriverError(reason, message.slice(0, MAX_MESSAGE_CHARS), {
      metadata: Object.fromEntries(
        Object.entries(metadata)
          .slice(0, MAX_ENTRIES)
          .map(([key, value]) => [key, value.slice(0, MAX_VALUE_CHARS)]),
      ),
      violations: violations.slice(0, MAX_ENTRIES).map(({ field, description }) => ({
        field: field.slice(0, MAX_VALUE_CHARS),
        description: description.slice(0, MAX_VALUE_CHARS),
      })),
    });
  } finally {
    Error.stackTraceLimit = limit;
  }
}
