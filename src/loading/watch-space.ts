import type { DatasetStore } from "../datasets/model.ts";

const INTERVAL_MS = 500;

/** A signal that is aborted with QUOTA_EXCEEDED or DISK_FULL when a load that writes leaves too little room, or by `outer`. */
export function watchSpace(
  datasets: DatasetStore,
  outer: AbortSignal,
): AsyncDisposable & { readonly signal: AbortSignal } {
  const controller = new AbortController();
  let check = Promise.resolve();
  let checking = false;
  const timer = setInterval(() => {
    if (checking) return;
    checking = true;
    check = datasets
      .checkSpace()
      .catch((error: unknown) => controller.abort(error))
      .finally(() => {
        checking = false;
      });
  }, INTERVAL_MS);
  return {
    signal: AbortSignal.any([outer, controller.signal]),
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await check;
    },
  };
}
