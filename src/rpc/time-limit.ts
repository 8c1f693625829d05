import { formatDuration } from "../config/units.ts";
import { DriverError } from "../errors/driver-error.ts";

export interface TimeLimit extends Disposable {
  readonly signal: AbortSignal;
}

/** A signal that is aborted with the given one, or with DEADLINE_EXCEEDED once the driver's own limit has passed (0: none). */
export function timeLimit(signal: AbortSignal, timeoutMs: number): TimeLimit {
  if (timeoutMs === 0) return { signal, [Symbol.dispose]: () => {} };
  const controller = new AbortController();
  const timer = setTimeout(() => {
    const limit = formatDuration(timeoutMs);
    const error = new DriverError("DEADLINE_EXCEEDED", `the query took longer than limits.queryTimeout (${limit})`, {
      metadata: { limit },
    });
    controller.abort(error);
  }, timeoutMs);
  return {
    signal: AbortSignal.any([signal, controller.signal]),
    [Symbol.dispose]: () => clearTimeout(timer),
  };
}
