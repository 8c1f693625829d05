import { formatDuration } from "../config/units.ts";
import { DriverError } from "../errors/driver-error.ts";
import { TOKENS_LOOKED_AT_EVERY_MS } from "./authenticate.ts";
import { deadlinePassed } from "./call.ts";

/** Node's timers take no more than 24.8 days: longer ones fire at once. */
const LONGEST_TIMER_MS = 24 * 86_400_000;

export interface TimeLimit extends Disposable {
  readonly signal: AbortSignal;
}

/** A signal that is aborted with the given one, or with DEADLINE_EXCEEDED once the driver's own limit has passed (0: none). */
export function timeLimit(signal: AbortSignal, timeoutMs: number): TimeLimit {
  if (timeoutMs === 0) return { signal, [Symbol.dispose]: () => {} };
  const own = lifetime({ timeoutMs });
  return { signal: AbortSignal.any([signal, own.signal]), [Symbol.dispose]: () => own[Symbol.dispose]() };
}

/**
 * What bounds a query that outlives its call: with DEADLINE_EXCEEDED the driver's own limit (0: none) and the deadline of the call that
 * began it, and the end of that call's token.
 */
export function lifetime({
  timeoutMs,
  deadlineMs = Number.POSITIVE_INFINITY,
  tokenEnd,
}: {
  readonly timeoutMs: number;
  /** By `performance.now()`. */
  readonly deadlineMs?: number | undefined;
  readonly tokenEnd?: (() => DriverError | undefined) | undefined;
}): TimeLimit {
  const controller = new AbortController();
  const ownMs = timeoutMs > 0 ? timeoutMs : Number.POSITIVE_INFINITY;
  const leftMs = deadlineMs - performance.now();
  const [afterMs, error] = ownMs < leftMs ? [ownMs, () => tookTooLong(timeoutMs)] : [leftMs, deadlinePassed];
  const timer = afterMs <= LONGEST_TIMER_MS ? setTimeout(() => controller.abort(error()), afterMs) : undefined;
  const look = () => {
    const end = tokenEnd?.();
    if (end !== undefined) controller.abort(end);
  };
  const looks = tokenEnd && setInterval(look, TOKENS_LOOKED_AT_EVERY_MS).unref();
  const stop = () => {
    clearTimeout(timer);
    clearInterval(looks);
  };
  return { signal: controller.signal, [Symbol.dispose]: stop };
}

function tookTooLong(timeoutMs: number): DriverError {
  const limit = formatDuration(timeoutMs);
  return new DriverError("DEADLINE_EXCEEDED", `the query took longer than limits.queryTimeout (${limit})`, {
    metadata: { limit },
  });
}
