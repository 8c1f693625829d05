import { formatDuration } from "../config/units.ts";
import { DriverError } from "../errors/driver-error.ts";

/**
 * Passes on what `start` gives, and stops it with READER_TOO_SLOW once its reader has not asked for more for `timeoutMs`
 * (0: never): a result under way holds a place in the readers' pool, and a few readers that stall would hold them all.
 * The reader learns it when it reads on.
 */
export async function* whileRead<T>(
  start: (signal: AbortSignal) => AsyncIterable<T>,
  { signal, timeoutMs }: { readonly signal: AbortSignal; readonly timeoutMs: number },
): AsyncGenerator<T, void, undefined> {
  const stalled = new AbortController();
  const stop = () => stalled.abort(tooSlow(timeoutMs));
  for await (const item of start(AbortSignal.any([signal, stalled.signal]))) {
    const timer = timeoutMs > 0 ? setTimeout(stop, timeoutMs) : undefined;
    try {
      yield item;
    } finally {
      clearTimeout(timer);
    }
  }
}

function tooSlow(timeoutMs: number): DriverError {
  const limit = formatDuration(timeoutMs);
  return new DriverError("READER_TOO_SLOW", `nothing of the result was read for limits.readerTimeout (${limit})`, {
    metadata: { limit },
  });
}
