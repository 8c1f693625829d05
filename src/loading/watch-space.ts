const INTERVAL_MS = 1_000;

/**
 * Checks again and again whether there is space; its signal is aborted with what a check throws, so that a load ends before
 * the disk is full or the quota exceeded. A check counts files: on a large or slow disk it may take longer than the interval,
 * and the next one waits for it.
 */
export function watchSpace(
  check: () => Promise<void>,
  { signal, intervalMs = INTERVAL_MS }: { readonly signal: AbortSignal; readonly intervalMs?: number },
): Disposable & { readonly signal: AbortSignal } {
  const full = new AbortController();
  let checking = false;
  const timer = setInterval(() => {
    if (checking) return;
    checking = true;
    check()
      .catch((error: unknown) => full.abort(error))
      .finally(() => {
        checking = false;
      });
  }, intervalMs);
  return {
    signal: AbortSignal.any([signal, full.signal]),
    [Symbol.dispose]: () => clearInterval(timer),
  };
}
