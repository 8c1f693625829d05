import { realpath } from "node:fs/promises";
import packageJson from "../../package.json" with { type: "json" };
import { Tokens } from "../access/tokens.ts";
import { claimInstance } from "../catalog/instance.ts";
import type { LoadedConfig } from "../config/load-config.ts";
import { divideMemory } from "../config/memory-shares.ts";
import type { DriverControl } from "../lifecycle/control.ts";
import { createIdentity, type Identity } from "../lifecycle/identity.ts";
import type { StartPhase } from "../lifecycle/launch-messages.ts";
import { Readiness } from "../lifecycle/readiness.ts";
import { readOrCreateToken } from "../lifecycle/token-file.ts";
import { openWorkFolder } from "../lifecycle/work-folder.ts";
import { EventLoopMonitor } from "../observability/event-loop.ts";
import type { Logger } from "../observability/logger.ts";
import { Metrics } from "../observability/metrics.ts";
import type { Operations } from "../operations/model.ts";
import type { QueryService } from "../queries/service.ts";
import { datasetService } from "../rpc/handlers/dataset.ts";
import { driverService, type Launch, type MemoryStatus } from "../rpc/handlers/driver.ts";
import { libraryService } from "../rpc/handlers/library.ts";
import { operationService } from "../rpc/handlers/operation.ts";
import { queryService } from "../rpc/handlers/query.ts";
import { sourceService } from "../rpc/handlers/source.ts";
import { tokenService } from "../rpc/handlers/token.ts";
import { uploadService } from "../rpc/handlers/upload.ts";
import { createPages } from "../rpc/http/pages.ts";
import { openRpcServer, type RpcServer } from "../rpc/rpc-server.ts";
import { createPool } from "../scheduling/pool.ts";
import type { SourceKind } from "../sources/connector.ts";
import { holdSets, readSetsAtStart } from "./bound-sets.ts";
import { checkSetWith } from "./check-set.ts";
import { clientReach, NO_REACH } from "./client-reach.ts";
import { openDriverSets } from "./library-sets.ts";
import { openDriverLife } from "./life.ts";
import { composeLoading } from "./loading.ts";
import { measure } from "./metrics.ts";
import { composeQuestions } from "./questions.ts";
import { openStorage } from "./storage.ts";

export const VERSION = packageJson.version;

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
  const { bound: librarySets, hashes: setHashes } = await readSetsAtStart(settings);
  const identity = createIdentity({ version: VERSION, profile: settings.profile, profileBytes, setHashes });
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
  const storage = await openStorage(parts, {
    ...{ settings, shares, dataDirectory, instance, workFolder, life, metrics, logger, onPhase },
  });
  const { engine, datasets, operations, catalog } = storage;
  const tokens = new Tokens(catalog.tokens, {
    onError: (error) => logger.error("the use of a token can't be noted", { error }),
  });
  let reach = NO_REACH;
  const driverSets = parts.use(
    await openDriverSets({
      ...{ dataDirectory, settings, instance, catalog, logger },
      reach: () => reach,
      workers: () => loading.workers,
    }),
  );
  await holdSets(librarySets, { uses: catalog.librarySets, sets: driverSets.store, identity });
  const loading = await composeLoading(parts, {
    ...{
      settings,
      shares,
      dataDirectory,
      instance,
      group,
      workFolder,
      workerProgram,
      librarySets,
      sets: driverSets.store,
      storage,
      readiness,
      metrics,
      logger,
    },
    pool: loaders,
    reach: () => reach,
  });
  const { workers, statements, uploads, scheduler, definitions } = loading;
  const { queries, exports } = composeQuestions({ settings, storage, loading, pool: readers, metrics });
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
      ...{ capabilities: capabilitiesOf(definitions.kinds), threads, pools, memory, eventLoopDelay, librarySets },
      proofKey: (key) => tokens.proofKey(key),
      workers: () => workers.status(),
      drainTimeoutMs: settings.drainTimeout,
      stopGraceMs: settings.stopGrace,
      runningOperations,
      address: () => server.address,
    }),
    ...operationService(operations, loading.loads),
    ...sourceService(loading),
    ...tokenService(tokens),
    ...uploadService(uploads),
    ...libraryService({
      librarySets: driverSets.store,
      uploads,
      check: checkSetWith({ ...loading, sets: driverSets.store }),
      allowedFolder: driverSets.allowedFolder,
      readerTimeoutMs: limits.readerTimeout,
    }),
    ...datasetService({ ...loading, datasets, exports, operations, readerTimeoutMs: limits.readerTimeout }),
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
      findToken: (text) => tokens.find(text),
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
      await loading.upkeep.sweep();
      await driverSets.sweep();
      if (settings.schedules) scheduler.start();
      await server.warmUp();
      workers.warmUp();
      // Loading modules blocks; what counts is how long callers wait.
      eventLoop.restart();
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function capabilitiesOf(kinds: readonly SourceKind[]): readonly string[] {
  return [
    ...["result.arrow", "result.rows", "query.aggregate", "query.sql", "dataset.level", "dataset.refresh", "export"],
    "librarySets",
    ...kinds.map(({ kind }) => `source.${kind}`),
  ];
}
