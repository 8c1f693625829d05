import { join } from "node:path";
import type { Instance } from "../catalog/instance.ts";
import type { MemoryShares } from "../config/memory-shares.ts";
import type { Settings } from "../config/settings.ts";
import { stagingFolder } from "../datasets/layout.ts";
import { createDefinitions } from "../definitions/definitions.ts";
import { createSecrets } from "../definitions/secrets/secrets.ts";
import { createVault } from "../definitions/secrets/vault.ts";
import type { BoundSets } from "../library-sets/bind-sets.ts";
import type { LibrarySetStore } from "../library-sets/model.ts";
import { createServedKinds } from "../library-sets/served-kinds.ts";
import type { Readiness } from "../lifecycle/readiness.ts";
import { type WorkFolder, workFolderOf } from "../lifecycle/work-folder.ts";
import { createAppendService } from "../loading/append/service.ts";
import { createLoadFinder } from "../loading/load-finder.ts";
import { createProgressNotes } from "../loading/progress-notes.ts";
import { createRefreshService } from "../loading/refresh/refresh-service.ts";
import { Scheduler } from "../loading/refresh/scheduler.ts";
import { createLoadService, DEFAULT_SEGMENT_LIMITS } from "../loading/service.ts";
import { createSourceProbe } from "../loading/source-probe.ts";
import type { WorkerPool } from "../loading/workers/model.ts";
import { createWorkerPool } from "../loading/workers/worker-pool.ts";
import type { Logger } from "../observability/logger.ts";
import type { Metrics } from "../observability/metrics.ts";
import type { Pool } from "../scheduling/model.ts";
import { createStatementLimits } from "../scheduling/statement-limits.ts";
import { sourceKinds } from "../sources/kinds.ts";
import type { ClientReach } from "./client-reach.ts";
import { noteAppendEvent, noteWorkerEvent } from "./log-events.ts";
import type { Storage } from "./storage.ts";
import { openDriverUploads } from "./uploads.ts";

export interface LoadingOptions {
  readonly settings: Settings;
  readonly shares: MemoryShares;
  /** Real. */
  readonly dataDirectory: string;
  readonly instance: Instance;
  /** The group that shares the data directory; undefined for none. */
  readonly group: number | undefined;
  readonly workFolder: WorkFolder;
  readonly workerProgram: readonly string[];
  readonly storage: Storage;
  /** Those of the configuration. */
  readonly librarySets: BoundSets;
  readonly sets: Pick<LibrarySetStore, "folderOf" | "verify">;
  /** The loaders' places. */
  readonly pool: Pool;
  readonly readiness: Readiness;
  /** Known once the driver listens; nothing is loaded before. */
  readonly reach: () => ClientReach;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

export type Loading = Awaited<ReturnType<typeof composeLoading>>;

/** Everything that brings rows into datasets; `parts` closes it. */
export async function composeLoading(parts: AsyncDisposableStack, options: LoadingOptions) {
  const { settings, dataDirectory, instance, group, storage, pool, readiness, reach, metrics, logger } = options;
  const { librarySets } = options;
  const { catalog, datasets, operations } = storage;
  const limits = DEFAULT_SEGMENT_LIMITS;
  const upkeep = parts.use(await openDriverUploads({ dataDirectory, settings, instance, catalog, datasets, logger }));
  const { uploads } = upkeep;
  const definitions = createDefinitions({
    secrets: createSecrets({
      environment: process.env,
      fileRoots: () => reach().fileRoots,
      reserved: () => reach().reserved,
    }),
    vault: createVault({ keyFile: join(dataDirectory, "secrets.key"), group }),
    statementLimit: settings.limits.statements,
    uploads,
    catalog: catalog.definitions,
    kinds: createServedKinds(sourceKinds, librarySets),
  });
  const statements = createStatementLimits();
  const workers = parts.use(await openWorkers(options));
  const probe = createSourceProbe({ workers, statements });
  const notes = createProgressNotes({
    instanceId: instance.id,
    folderOf: (instanceId) => workFolderOf(dataDirectory, instanceId),
  });
  const loads = createLoadService({
    ...{ workers, datasets, operations, pool, notes, definitions, statements },
    claims: catalog.loads,
    freshness: { seen: ({ uid, number }, time) => catalog.refreshes.see(uid, number, time) },
    options: { limits },
  });
  const appends = parts.use(
    createAppendService({
      ...{ workers, datasets, operations, pool, limits },
      onEvent: (event) => noteAppendEvent(logger, metrics, event),
    }),
  );
  readiness.onChange((state) => {
    if (state !== "serving") appends.stop();
  });
  const finder = createLoadFinder({ loads, operations, claims: catalog.loads, datasets, notes });
  const now = () => new Date();
  const onError = (error: unknown) => logger.warn("a refresh can't be noted or started", { error });
  const { refreshes } = catalog;
  const refresh = createRefreshService({
    ...{ datasets, operations, refreshes, now, onError },
    loads: { load: (request) => loads.load(request), running: (dataset) => finder.running(dataset) },
  });
  const scheduler: Scheduler = parts.use(
    new Scheduler({
      ...{ datasets, refreshes, service: refresh, operations, now, onError },
      isServing: () => readiness.serving,
      maxAtOnce: settings.pools.loaders.size,
    }),
  );
  return { workers, statements, definitions, uploads, upkeep, probe, loads, appends, finder, refresh, scheduler };
}

async function openWorkers(options: LoadingOptions): Promise<WorkerPool> {
  const { settings, shares, workFolder, workerProgram, reach, metrics, logger } = options;
  const { dataDirectory, instance, sets } = options;
  const { workers, threads, spill, share, parsers } = settings;
  const { max, bytes, engineBytes } = shares.workers;
  return createWorkerPool({
    ...{ threads, share, max, engineBytes },
    fileRoots: () => reach().fileRoots,
    reserved: () => reach().reserved,
    http: () => reach().http,
    min: Math.min(workers.min, max),
    initial: Math.min(workers.initial, max),
    parsers: { modules: parsers.modules, timeoutMs: parsers.timeout },
    idleMs: workers.idle,
    hangTimeoutMs: workers.hangTimeout,
    workerBytes: bytes,
    maxSpillBytes: spill.maxBytes / 2 / max,
    librarySets: { sets, stagingFolder: join(stagingFolder(dataDirectory), instance.id) },
    program: workerProgram,
    workDirectory: await workFolder.make("workers"),
    onEvent: (event) => noteWorkerEvent(logger, metrics, event),
  });
}
