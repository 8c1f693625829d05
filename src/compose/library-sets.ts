import type { Catalog } from "../catalog/catalog.ts";
import type { Instance } from "../catalog/instance.ts";
import type { Settings } from "../config/settings.ts";
import { describeDeclared } from "../library-sets/describe.ts";
import type { LibrarySetStore } from "../library-sets/model.ts";
import { openLibrarySets } from "../library-sets/store.ts";
import { createFindUsers } from "../library-sets/users.ts";
import type { Logger } from "../observability/logger.ts";
import { createPool } from "../scheduling/pool.ts";
import { sourceKinds } from "../sources/kinds.ts";

export interface DriverSetsOptions {
  readonly settings: Settings;
  /** Real. */
  readonly dataDirectory: string;
  readonly instance: Instance;
  readonly catalog: Pick<Catalog, "librarySets">;
  readonly logger: Logger;
}

const INSTALLS = { name: "installs", size: 1, maxQueued: 16 } as const;
const SWEEP_EVERY_MS = 3_600_000;

/**
 * Opens the library sets of the data directory, and takes away now and then, until it is disposed of, those that nobody needs any
 * more. `sweep` does it now and never fails.
 */
export async function openDriverSets(
  options: DriverSetsOptions,
): Promise<Disposable & { readonly store: LibrarySetStore; sweep(): Promise<void> }> {
  const { settings, dataDirectory, instance, catalog, logger } = options;
  const { librarySets: uses } = catalog;
  const store = await openLibrarySets({
    ...{ dataDirectory, instanceId: instance.id, describe: describeDeclared, kinds: sourceKinds },
    isAlive: (id) => instance.isAlive(id),
    users: createFindUsers({ dataDirectory, uses }),
    registry: settings.librarySets.registry,
    environment: process.env,
    minFreeBytes: settings.minFreeDisk,
    pool: createPool(INSTALLS),
  });
  const onError = (error: unknown) => logger.error("the library sets can't be looked through", { error });
  const sweep = () => store.sweep((hash, takeAway) => uses.unlessUsed(hash, takeAway)).catch(onError);
  const timer = setInterval(sweep, SWEEP_EVERY_MS).unref();
  return { store, sweep, [Symbol.dispose]: () => clearInterval(timer) };
}
