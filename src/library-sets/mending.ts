import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { tryLock } from "../catalog/sqlite/lock-file.ts";
import { librarySetsFolder } from "./layout.ts";

const POLL_MS = 20;

/**
 * Waits until nobody else, in any driver of the data directory, takes a damaged set out of its place: what is found damaged meanwhile
 * stays where it is, and what is whole is never taken for it. The lock's file stays, as a profile's does.
 */
export async function holdMending(
  dataDirectory: string,
  { signal }: { readonly signal: AbortSignal },
): Promise<Disposable> {
  const file = join(librarySetsFolder(dataDirectory), "mending.lock");
  for (;;) {
    signal.throwIfAborted();
    const lock = tryLock(file);
    if (lock !== undefined) return { [Symbol.dispose]: () => lock.close() };
    await setTimeout(POLL_MS);
  }
}
