import { realpath } from "node:fs/promises";
import { hostname } from "node:os";
import type { LibrarySetUses } from "../catalog/library-set-uses.ts";
import type { Settings } from "../config/settings.ts";
import { DriverError } from "../errors/driver-error.ts";
import { type BoundSets, bindSets } from "../library-sets/bind-sets.ts";
import type { LibrarySetStore } from "../library-sets/model.ts";
import { hashesOf, readPointers } from "../library-sets/pointers.ts";
import { PublishedSets } from "../library-sets/published-sets.ts";
import type { Identity } from "../lifecycle/identity.ts";
import { requireExact } from "../loading/workers/permissions.ts";

/** The library sets as they were at one moment: a driver works with those that are in its fingerprint. */
export interface SetsAtStart {
  readonly bound: BoundSets;
  /** Of all sets, by name. */
  readonly hashes: ReadonlyMap<string, string>;
}

/** Reads which sets there are, and finds those that the configuration names. Throws what `bindSets` throws, LIBRARY_SET_UNCONFINED. */
export async function readSetsAtStart({ dataDir, librarySets, parsers }: Settings): Promise<SetsAtStart> {
  const pointers = await readPointers(dataDir);
  const sets = new PublishedSets(dataDir);
  const bound = await bindSets(librarySets, pointers, { byHash: (hash) => sets.manifest(hash) });
  if (bound.all.length > 0) requireExact([await realpath(dataDir), ...parsers.modules]);
  return { bound, hashes: hashesOf(pointers) };
}

export interface HoldParts {
  readonly uses: LibrarySetUses;
  readonly sets: Pick<LibrarySetStore, "byHash">;
  readonly identity: Pick<Identity, "profile" | "pid">;
}

/**
 * Says that this driver works with its sets: from then on nobody takes them away. Throws LIBRARY_SET_NOT_FOUND where somebody has
 * done so just before.
 */
export async function holdSets({ all }: BoundSets, { uses, sets, identity }: HoldParts): Promise<void> {
  const { profile, pid } = identity;
  await uses.hold(all.map(({ name, hash }) => ({ name, hash, profile, pid, host: hostname() })));
  for (const { name, hash } of all) {
    await sets.byHash(hash).catch((thrown: unknown) => {
      const { reason, message, metadata } = DriverError.from(thrown);
      throw new DriverError(reason, `the library set ${JSON.stringify(name)}: ${message}`, { metadata, cause: thrown });
    });
  }
}

const SWEEP_EVERY_MS = 3_600_000;

/** Takes away sets that nobody needs any more, every hour until it is disposed of. `sweep` does it now and never fails. */
export function sweepSetsRegularly(
  store: Pick<LibrarySetStore, "sweep">,
  uses: LibrarySetUses,
  onError: (error: unknown) => void,
): Disposable & { sweep(): Promise<void> } {
  const sweep = () => store.sweep((hash, takeAway) => uses.unlessUsed(hash, takeAway)).catch(onError);
  const timer = setInterval(sweep, SWEEP_EVERY_MS).unref();
  return { sweep, [Symbol.dispose]: () => clearInterval(timer) };
}
