import { realpath } from "node:fs/promises";
import { join } from "node:path";
import packageJson from "../package.json" with { type: "json" };
import { noteAppendEvent } from "./append-log.ts";
import { openCatalog } from "./catalog/catalog.ts";
import { claimInstance } from "./catalog/instance.ts";
import { type ClientReach, clientReach, NO_REACH } from "./client-reach.ts";
import type { LoadedConfig } from "./config/load-config.ts";
import { divideMemory, type MemoryShares } from "./config/memory-shares.ts";
import type { Settings } from "./config/settings.ts";
import { logDatasetEvent } from "./dataset-log.ts";
import { datasetsFolder } from "./datasets/layout.ts";
import { openDatasetStore } from "./datasets/store.ts";
import { createDefinitions } from "./definitions/definitions.ts";
import { createSecrets } from "./definitions/secrets/secrets.ts";
import { createVault } from "./definitions/secrets/vault.ts";
import { openDriverLife } from "./driver-life.ts";
import { countDatasetEvent, measure } from "./driver-metrics.ts";
import { openDriverUploads } from "./driver-uploads.ts";
import { openReadEngine } from "./engine/duckdb/read-engine.ts";
import type { ReadEngine } from "./engine/engine.ts";
import type { DriverControl } from "./lifecycle/control.ts";
import { createIdentity, type Identity } from "./lifecycle/identity.ts";
import type { StartPhase } from "./lifecycle/launch-messages.ts";
import { Readiness } from "./lifecycle/readiness.ts";
import { readOrCreateToken } from "./lifecycle/token-file.ts";
import { openWorkFolder, type WorkFolder, workFolderOf } from "./lifecycle/work-folder.ts";
import { createAppendService } from "./loading/append/service.ts";
import { createLoadFinder } from "./loading/load-finder.ts";
import { createProgressNotes } from "./loading/progress-notes.ts";
import { createRefreshService } from "./loading/refresh/refresh-service.ts";
import { Scheduler } from "./loading/refresh/scheduler.ts";
import { createLoadService, DEFAULT_SEGMENT_LIMITS } from "./loading/service.ts";
import { createSourceProbe } from "./loading/source-probe.ts";
import { watchSpace } from "./loading/watch-space.ts";
import type { WorkerPool } from "./loading/workers/model.ts";
import { createWorkerPool } from "./loading/workers/worker-pool.ts";
import { EventLoopMonitor } from "./observability/event-loop.ts";
import type { Logger } from "./observability/logger.ts";
import { Metrics } from "./observability/metrics.ts";
import type { OperationSnapshot, Operations } from "./operations/model.ts";
import { createOperations } from "./operations/operations.ts";
import { createExportService } from "./queries/export/service.ts";
import { createQueryService, type QueryService } from "./queries/service.ts";
import { datasetService } from "./rpc/handlers/dataset.ts";
import { driverService, type Launch, type MemoryStatus } from "./rpc/handlers/driver.ts";
import { operationService } from "./rpc/handlers/operation.ts";
import { queryService } from "./rpc/handlers/query.ts";
import { sourceService } from "./rpc/handlers/source.ts";
import { uploadService } from "./rpc/handlers/upload.ts";
import { createPages } from "./rpc/http/pages.ts";
import { openRpcServer, type RpcServer } from "./rpc/rpc-server.ts";
import { createPool } from "./scheduling/pool.ts";
import { createStatementLimits } from "./scheduling/statement-limits.ts";
import { sourceKinds } from "./sources/kinds.ts";

export const VERSION = packageJson.version;

/** What the contract promises: Query's answers up to 4 MiB, ListRows' pages up to 1 MiB. */
const QUERY_LIMITS = { maxAnswerBytes: 4 * 2 ** 20, maxPageBytes: 2 ** 20 };

/** The parts of a running driver that its start and its stop need. */
export interface Driver extends AsyncDisposable {
  readonly identity: Identity;
  readonly readiness: Readiness;
  readonly operations: Operations;
  readonly queries: QueryService;
  readonly server: RpcServer;
  /** Binds the port. Throws LISTEN_FAILED, LISTEN_REFUSED. */
  listen(): Promise<void>;
  /** What is better done once the driver serves: nobody waits for it. */
  settle(): Promise<void>;
}

export interface ComposeOptions {
  readonly logger: Logger;
  /** The group that shares the data directory; undefined for none. */
  readonly group: number | undefined;
  /** Where signals, RPCs and the rules of its lifetime ask it to end. */
  readonly control: DriverControl;
  readonly launch: Launch;
  /** Node, its arguments and the program of loader workers. */
  readonly workerProgram: readonly string[];
  /** The descriptor of a listening socket, in place of the `listen` setting. */
  readonly socket: number | undefined;
  /** Told when the next phase of the start begins. */
  readonly onPhase: (phase: StartPhase) => void;
}

/** Builds the driver from its parts. It takes no work before `readiness` says so. */
export async function compose(
  config: LoadedConfig,
  { logger, group, control, launch, workerProgram, socket, onPhase }: ComposeOptions,
): Promise<Driver> {
  const { settings, profileBytes } = config;
  await using parts = new AsyncDisposableStack();
  const identity = createIdentity({ version: VERSION, profile: settings.profile, profileBytes });
  const token = readOrCreateToken(settings.tokenFile, { group });
  onPhase("catalog");
  const instance = parts.use(await claimInstance({ dataDirectory: settings.dataDir, id: identity.instanceId }));
  // The reading engine compares real paths.
  const dataDirectory = await realpath(settings.dataDir);
  const workFolder = parts.use(
    await openWorkFolder({ dataDirectory, instanceId: identity.instanceId, isAlive: (id) => instance.isAlive(id) }),
  );
  const readiness = new Readiness();
  const metrics = new Metrics();
  const eventLoop = parts.use(new EventLoopMonitor());
  const shares = divideMemory(settings);
  const runningOperations = () => operations.live;
  const isWantedWithin = (milliseconds: number) => scheduler.isWantedWithin(milliseconds);
  const life = parts.use(
    openDriverLife({
      ...{ config, control, readiness, logger, runningOperations, isWantedWithin },
      spawned: launch.id !== undefined,
      // The workers' memory is watched worker by worker.
      budgetBytes: shares.process + shares.reader,
    }),
  );
  const readers = createPool({ name: "readers", ...settings.pools.readers });
  const loaders = createPool({ name: "loaders", ...settings.pools.loaders });
  const own = async <T extends AsyncDisposable>(opening: Promise<T>): Promise<T> => parts.use(await opening);
  const exportDirectory = await workFolder.make("exports");
  // At once, because engines open on other threads: 20 ms less of a start.
  const [catalog, engine] = await Promise.all([
    own(openCatalog({ dataDirectory, instance })).then((opened) => {
      onPhase("engine");
      return opened;
    }),
    own(openReader(settings, shares, { dataDirectory, workFolder, exportDirectory })),
  ]);
  const datasets = parts.use(
    await openDatasetStore({
      dataDirectory,
      instance,
      catalog,
      engine,
      residency: { budgetBytes: shares.resident, idleMs: settings.residency.idle },
      retention: {
        maxVersions: settings.retention.versions,
        maxAgeMs: settings.retention.maxAge,
        maxBytes: settings.retention.maxBytes,
      },
      quota: { maxBytes: settings.quota, minFreeBytes: settings.minFreeDisk },
      onEvent: (event) => {
        logDatasetEvent(logger, event);
        countDatasetEvent(metrics, event);
        life.tell(event);
      },
    }),
  );
  const operations: Operations = parts.use(
    createOperations({
      history: catalog.operations,
      maxOperations: settings.history.maxOperations,
      maxAgeMs: settings.history.maxAge,
      onEnd: (operation) => {
        life.activity.touch();
        logOperation(logger, operation);
      },
      onHistoryError: (error) => logger.error("the history can't be written", { error }),
    }),
  );
  // Known once it listens; nothing is loaded before.
  let reach = NO_REACH;
  const secrets = createSecrets({ environment: process.env, fileRoots: () => reach.fileRoots });
  const statementLimit = settings.limits.statements;
  const vault = createVault({ keyFile: join(dataDirectory, "secrets.key"), group });
  const upkeep = parts.use(await openDriverUploads({ dataDirectory, settings, instance, catalog, datasets, logger }));
  const { uploads } = upkeep;
  const definitions = createDefinitions({
    ...{ secrets, vault, statementLimit, uploads },
    catalog: catalog.definitions,
    kinds: sourceKinds,
  });
  const statements = createStatementLimits();
  const workers = parts.use(
    await openWorkers(settings, shares, { workFolder, workerProgram, reach: () => reach, metrics, logger }),
  );
  const probe = createSourceProbe({ workers, statements });
  const notes = createProgressNotes({
    instanceId: identity.instanceId,
    folderOf: (instanceId) => workFolderOf(dataDirectory, instanceId),
  });
  const loads = createLoadService({
    workers,
    datasets,
    operations,
    claims: catalog.loads,
    pool: loaders,
    notes,
    freshness: { seen: ({ uid, number }, time) => catalog.refreshes.see(uid, number, time) },
    definitions,
    statements,
    options: { limits: DEFAULT_SEGMENT_LIMITS },
  });
  const appends = parts.use(
    createAppendService({
      ...{ workers, datasets, operations, pool: loaders, limits: DEFAULT_SEGMENT_LIMITS },
      onEvent: (event) => noteAppendEvent(logger, metrics, event),
    }),
  );
  readiness.onChange((state) => {
    if (state !== "serving") appends.stop();
  });
  const now = () => new Date();
  const onError = (error: unknown) => logger.warn("a refresh can't be noted or started", { error });
  const { refreshes } = catalog;
  const finder = createLoadFinder({ loads, operations, claims: catalog.loads, datasets, notes });
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
  const queries = createQueryService({
    engine,
    datasets,
    operations,
    pool: readers,
    loads: finder,
    fresh: refresh,
    limits: {
      ...QUERY_LIMITS,
      detachedTimeoutMs: settings.limits.detachedTimeout,
      resultTtlMs: settings.limits.resultTtl,
      spoolBytes: settings.limits.spoolBytes,
      spoolBytesPerQuery: settings.limits.spoolBytesPerQuery,
    },
    onReattach: (outcome) => metrics.count("drover_query_reattachments_total", [outcome]),
  });
  const exports = createExportService({
    ...{ engine, datasets, operations, pool: readers, loads: finder, fresh: refresh },
    directory: exportDirectory,
    watchSpace: (signal) => watchSpace(() => datasets.checkSpace(), { signal }),
  });
  const pools = () => [readers.status(), loaders.status()];
  const memory = (): MemoryStatus => ({
    budget: shares.budget,
    residentBudget: shares.resident,
    resident: datasets.memory().residentBytes,
    readerLimit: shares.reader,
    loaderLimit: shares.loader,
    process: process.memoryUsage.rss(),
  });
  measure(metrics, {
    identity,
    readiness,
    pools: [readers, loaders],
    engine,
    datasets,
    eventLoop,
    memory,
    workers,
    statements,
    life,
  });
  const eventLoopDelay = () => eventLoop.quantile(0.99);
  const { threads, tls, limits, http } = settings;
  const methods = [
    ...driverService({
      ...{ identity, token, launch, readiness, control, events: life.events, leases: life.leases },
      ...{ capabilities: CAPABILITIES, threads, pools, memory, eventLoopDelay },
      workers: () => workers.status(),
      drainTimeoutMs: settings.drainTimeout,
      stopGraceMs: settings.stopGrace,
      runningOperations,
      address: () => server.address,
    }),
    ...operationService(operations, loads),
    ...sourceService({ definitions, probe, uploads }),
    ...uploadService(uploads),
    ...datasetService({
      ...{ datasets, loads, uploads, appends, exports, operations, refresh, scheduler },
      readerTimeoutMs: limits.readerTimeout,
    }),
    ...queryService({
      queries,
      exports,
      metrics,
      timeoutMs: limits.queryTimeout,
      readerTimeoutMs: limits.readerTimeout,
    }),
  ];
  const index = () => ({
    identity,
    state: readiness.state,
    pools: pools(),
    memory: memory(),
    datasets: datasets.list({ labels: {} }).length,
  });
  onPhase("serving");
  const server: RpcServer = parts.use(
    await openRpcServer({
      listen: settings.listen,
      socket,
      allowPlainRemote: settings.allowPlainRemote,
      tls: tls.certFile === "" ? undefined : { ...tls, reloadIntervalMs: tls.reloadInterval },
      token,
      instanceId: identity.instanceId,
      origins: http.origins,
      limits,
      methods,
      pages: createPages({ readiness, metrics, index }),
      activity: life.activity,
      readiness,
      metrics,
      logger,
    }),
  );
  const owned = parts.move();
  return {
    identity,
    readiness,
    operations,
    queries,
    server,
    listen: async () => {
      await server.listen();
      reach = await clientReach(settings, { loopback: server.loopback, dataDirectory });
    },
    settle: async () => {
      await operations.recover();
      await workFolder.removeDead();
      await upkeep.sweep();
      if (settings.schedules) scheduler.start();
      await server.warmUp();
      workers.warmUp();
      // Loading modules blocks; what counts is how long callers wait.
      eventLoop.restart();
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

const CAPABILITIES = [
  ...["result.arrow", "result.rows", "query.aggregate", "query.sql", "dataset.level", "dataset.refresh", "export"],
  ...sourceKinds.map(({ kind }) => `source.${kind}`),
];

interface ReaderFolders {
  readonly dataDirectory: string;
  readonly workFolder: WorkFolder;
  /** Where it may write files that are sent and removed. */
  readonly exportDirectory: string;
}

async function openReader(
  settings: Settings,
  shares: MemoryShares,
  { dataDirectory, workFolder, exportDirectory }: ReaderFolders,
): Promise<ReadEngine> {
  return openReadEngine({
    memoryLimitBytes: shares.reader,
    threads: settings.threads,
    spillDirectory: await workFolder.make("reader"),
    maxSpillBytes: settings.spill.maxBytes / 2,
    allowedDirectories: [datasetsFolder(dataDirectory), exportDirectory],
    connections: settings.pools.readers.size,
  });
}

interface WorkerParts {
  readonly workFolder: WorkFolder;
  readonly workerProgram: readonly string[];
  readonly reach: () => ClientReach;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

async function openWorkers(
  { workers, threads, spill, share, parsers }: Settings,
  shares: MemoryShares,
  { workFolder, workerProgram, reach, metrics, logger }: WorkerParts,
): Promise<WorkerPool> {
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
    program: workerProgram,
    workDirectory: await workFolder.make("workers"),
    onEvent: (event) => {
      const { type, ...fields } = event;
      if (type === "started") metrics.count("drover_worker_starts_total", []);
      if (event.type === "ended") metrics.count("drover_worker_failures_total", [event.error.reason]);
      if (event.type === "started") logger.info("a worker has started", fields);
      else if (event.type === "ended") logger.warn("a worker has ended", fields);
      else logger.error("a worker's call failed unexpectedly", fields);
    },
  });
}

function logOperation(logger: Logger, { id, kind, dataset, state, error, requestedBy }: OperationSnapshot): void {
  const fields = { operationId: id, kind, dataset, state, requestedBy, ...(error && { reason: error.reason }) };
  // Queries are many, and their calls are logged.
  if (kind === "query") logger.debug("operation ended", fields);
  else if (error?.reason === "INTERNAL") logger.error("operation ended", { ...fields, error });
  else logger.info("operation ended", fields);
}
