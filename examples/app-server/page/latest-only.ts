/**
 * Runs one at a time. A new value cancels the run before it and waits until that has ended; of several that come meanwhile
 * only the last one runs.
 */
export function latestOnly<T>(run: (value: T, signal: AbortSignal) => Promise<void>): (value: T) => void {
  let running: AbortController | undefined;
  let next: { readonly value: T } | undefined;
  const runAll = async () => {
    while (next !== undefined) {
      const { value } = next;
      next = undefined;
      running = new AbortController();
      await run(value, running.signal);
    }
    running = undefined;
  };
  return (value) => {
    next = { value };
    if (running === undefined) void runAll();
    else running.abort();
  };
}
