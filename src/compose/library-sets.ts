import { realpath } from "node:fs/promises";
import { isAbsolute } from "node:path";
import type { Catalog } from "../catalog/catalog.ts";
import type { Instance } from "../catalog/instance.ts";
import type { Settings } from "../config/settings.ts";
import { DriverError } from "../errors/driver-error.ts";
import { createDescribeSet } from "../library-sets/describe.ts";
import type { LibrarySetStore } from "../library-sets/model.ts";
import { openLibrarySets } from "../library-sets/store.ts";
import { createFindUsers } from "../library-sets/users.ts";
import type { WorkerPool } from "../loading/workers/model.ts";
import type { Logger } from "../observability/logger.ts";
import { createPool } from "../scheduling/pool.ts";
import { sourceKinds } from "../sources/kinds.ts";
import { requireAllowed, requireAllowedFolder } from "../sources/path-roots.ts";
import { sweepSetsRegularly } from "./bound-sets.ts";
import type { ClientReach } from "./client-reach.ts";

export interface DriverSetsOptions {
  readonly dataDirectory: string;
  readonly settings: Settings;
  readonly instance: Instance;
  readonly catalog: Catalog;
  readonly reach: () => ClientReach;
  /** Known once the driver is composed; nothing is installed before. */
  readonly workers: () => Pick<WorkerPool, "lease">;
  readonly logger: Logger;
}

/** The library sets of the data directory for those who manage them. */
export interface DriverSets extends Disposable {
  readonly store: LibrarySetStore;
  /** The real path of a folder that a client names. Throws PATH_NOT_ALLOWED, PACKAGE_NOT_FOUND. */
  allowedFolder(path: string): Promise<string>;
  /** Takes away what nobody needs any more. Never fails. */
  sweep(): Promise<void>;
}

/** An install keeps a CPU busy; two administrators need not wait for each other. */
const INSTALLS = { name: "installs", size: 2, maxQueued: 16 };

export async function openDriverSets(options: DriverSetsOptions): Promise<DriverSets> {
  const { dataDirectory, settings, instance, catalog, reach, workers, logger } = options;
  const store = await openLibrarySets({
    ...{ dataDirectory, instanceId: instance.id, kinds: sourceKinds },
    describe: (set, describing) => createDescribeSet(workers())(set, describing),
    isAlive: (id) => instance.isAlive(id),
    users: createFindUsers({ dataDirectory, uses: catalog.librarySets }),
    registry: settings.librarySets.registry,
    environment: process.env,
    minFreeBytes: settings.minFreeDisk,
    pool: createPool(INSTALLS),
  });
  const upkeep = sweepSetsRegularly(store, catalog.librarySets, (error) =>
    logger.error("the library sets can't be looked through", { error }),
  );
  return Object.assign(upkeep, { store, allowedFolder: (path: string) => allowedFolder(path, reach().fileRoots) });
}

async function allowedFolder(path: string, roots: readonly string[] | undefined): Promise<string> {
  if (!isAbsolute(path))
    throw new DriverError("PATH_NOT_ALLOWED", `${JSON.stringify(path)} is no absolute path on the driver's machine`, {
      metadata: { path },
    });
  const real = await realpath(path).catch(async (error: unknown) => {
    await requireAllowedFolder(path, path, roots);
    throw new DriverError("PACKAGE_NOT_FOUND", `${path} is not there`, { metadata: { path }, cause: error });
  });
  requireAllowed(real, path, roots);
  return real;
}
