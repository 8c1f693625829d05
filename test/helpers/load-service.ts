import { existsSync } from "node:fs";
import { mkdir, readdir, realpath } from "node:fs/promises";
import { join } from "node:path";
import { type Catalog, openCatalog } from "../../src/catalog/catalog.ts";
import { claimInstance } from "../../src/catalog/instance.ts";
import { stagingFolder } from "../../src/datasets/layout.ts";
import type { DatasetStore } from "../../src/datasets/model.ts";
import { openDatasetStore } from "../../src/datasets/store.ts";
import { createDefinitions } from "../../src/definitions/definitions.ts";
import { createSecrets } from "../../src/definitions/secrets/secrets.ts";
import { createVault } from "../../src/definitions/secrets/vault.ts";
import type { SegmentLimits } from "../../src/engine/file-scan.ts";
import type { JsonValue } from "../../src/engine/types.ts";
import { createServedKinds } from "../../src/library-sets/served-kinds.ts";
import type { AppendService } from "../../src/loading/append/model.ts";
import type { AppendEvent } from "../../src/loading/append/parts.ts";
import { createAppendService } from "../../src/loading/append/service.ts";
import type { LoadOutcome, LoadService, Started } from "../../src/loading/model.ts";
import { createLoadService, DEFAULT_SEGMENT_LIMITS } from "../../src/loading/service.ts";
import type { WorkerPool } from "../../src/loading/workers/model.ts";
import type { WorkerPoolEvent } from "../../src/loading/workers/worker-pool.ts";
import type { OperationEvent, OperationSnapshot, Operations } from "../../src/operations/model.ts";
import { createOperations } from "../../src/operations/operations.ts";
import { createPool } from "../../src/scheduling/pool.ts";
import { createStatementLimits } from "../../src/scheduling/statement-limits.ts";
import { sourceKinds } from "../../src/sources/kinds.ts";
import type { ParserSettings } from "../../src/sources/parsers/settings.ts";
import { openTestEngine } from "./dataset-store.ts";
import { sendSignal } from "./driver-processes.ts";
import { temporaryFolder } from "./temporary-folder.ts";
import { openTestUploads } from "./uploads.ts";
import { openTestWorkers } from "./workers.ts";

/** The load use case over a data directory of its own, with the real parts around it. */
export interface LoadBench extends AsyncDisposable {
  readonly path: string;
  readonly dataDirectory: string;
  readonly workers: WorkerPool;
  /** The workers that live. */
  workerPids(): readonly number[];
  /** Stops the workers that live until it is disposed: what they do neither goes on nor ends meanwhile. */
  holdWorkers(): Disposable;
  /** Lets no load have a worker until it is disposed: what is begun meanwhile has not ended. */
  holdLoads(): Promise<AsyncDisposable>;
  /** What is being written of new versions. */
  staged(): Promise<readonly string[]>;
  readonly datasets: DatasetStore;
  readonly operations: Operations;
  readonly loads: LoadService;
  readonly appends: AppendService;
  /** What appends and merges have told. */
  readonly appendEvents: readonly AppendEvent[];
  /** Runs a query over the current version's segments. */
  query(dataset: string, sql: string): Promise<readonly (readonly JsonValue[])[]>;
  readonly catalog: Catalog;
  /** Rows of a dataset's current version, each as JSON, sorted. */
  rows(dataset: string): Promise<readonly string[]>;
  /** Starts a load with the usual labels and caller. */
  start(
    dataset: string,
    uri: string,
    more?: { options?: Record<string, unknown>; operationId?: string; labels?: Record<string, string> },
  ): Promise<Started>;
  /** Waits for an operation's end. */
  end(id: string): Promise<OperationSnapshot & { readonly outcome?: Partial<LoadOutcome> }>;
  /** All that a watcher gets until the end. */
  events(id: string): Promise<readonly OperationEvent[]>;
}

export interface LoadBenchOptions {
  readonly quotaBytes?: number;
  readonly limits?: SegmentLimits;
  readonly parsers?: ParserSettings;
}

export async function openLoadBench(options: LoadBenchOptions = {}): Promise<LoadBench> {
  const parts = new AsyncDisposableStack();
  const workerEvents: WorkerPoolEvent[] = [];
  const folder = parts.use(await temporaryFolder());
  const path = await realpath(folder.path);
  const dataDirectory = join(path, "data");
  await mkdir(dataDirectory);
  const instance = parts.use(await claimInstance({ dataDirectory, id: "test" }));
  const catalog = parts.use(await openCatalog({ dataDirectory, instance }));
  const reading = parts.use(await openTestEngine(dataDirectory));
  const workers = parts.use(
    openTestWorkers(path, { events: workerEvents, ...(options.parsers && { parsers: options.parsers }) }),
  );
  const datasets = parts.use(
    await openDatasetStore({
      dataDirectory,
      instance,
      catalog,
      engine: reading.read,
      residency: { budgetBytes: 0, idleMs: 1e9 },
      retention: { maxVersions: 3, maxAgeMs: 1e9, maxBytes: 1e12 },
      quota: { maxBytes: options.quotaBytes ?? 1e12, minFreeBytes: 0 },
    }),
  );
  const operations = parts.use(createOperations({ progressIntervalMs: 10 }));
  const pool = createPool({ name: "loaders", size: 2, maxQueued: 10 });
  const secrets = createSecrets({ environment: {}, fileRoots: () => undefined, reserved: () => [] });
  const uploads = await openTestUploads(dataDirectory, instance, catalog);
  const loads = createLoadService({
    workers,
    definitions: createDefinitions({
      ...{ secrets, catalog: catalog.definitions, kinds: createServedKinds(sourceKinds), statementLimit: 8, uploads },
      vault: createVault({ keyFile: join(dataDirectory, "secrets.key"), group: undefined }),
    }),
    statements: createStatementLimits(),
    datasets,
    operations,
    claims: catalog.loads,
    pool,
    freshness: { seen: ({ uid, number }, time) => catalog.refreshes.see(uid, number, time) },
    options: { limits: DEFAULT_SEGMENT_LIMITS },
  });
  const appendEvents: AppendEvent[] = [];
  const appends = parts.use(
    createAppendService({
      ...{ workers, datasets, operations, pool, limits: options.limits ?? DEFAULT_SEGMENT_LIMITS },
      onEvent: (event) => appendEvents.push(event),
    }),
  );
  const query = async (dataset: string, sql: string) => {
    const { signal } = new AbortController();
    await using pinned = await datasets.pin(dataset, 0, { signal });
    const checked = await reading.read.checkSql(sql, { signal });
    const { manifest, segmentPaths } = pinned;
    const version = { dataset, version: manifest.number, columns: manifest.columns, segmentPaths };
    await using result = await reading.read.query(reading.read.renderSql(checked, [], [version]), { signal });
    const rows: (readonly JsonValue[])[] = [];
    for (let batch = await result.next(); batch !== undefined; batch = await result.next())
      rows.push(...batch.toRows());
    return rows;
  };
  const events = async (id: string) => {
    const seen: OperationEvent[] = [];
    for await (const event of operations.watch(id, { signal: new AbortController().signal })) seen.push(event);
    return seen;
  };
  // Those that the pool itself has ended are told of to nobody.
  const workerPids = () =>
    workerEvents.flatMap(({ type, pid }) =>
      type === "started" && pid !== undefined && existsSync(`/proc/${pid}`) ? [pid] : [],
    );
  const signalWorkers = (pids: readonly number[], name: NodeJS.Signals) => {
    for (const pid of pids) sendSignal(pid, name);
  };
  return {
    path,
    dataDirectory,
    workers,
    workerPids,
    holdWorkers() {
      const held = workerPids();
      signalWorkers(held, "SIGSTOP");
      return { [Symbol.dispose]: () => signalWorkers(held, "SIGCONT") };
    },
    async holdLoads() {
      const { signal } = new AbortController();
      const held = new AsyncDisposableStack();
      for (let lease = 0; lease < workers.maxForLoads; lease++) held.use(await workers.lease("first", { signal }));
      return held;
    },
    async staged() {
      const folders = await readdir(stagingFolder(dataDirectory), { recursive: true });
      return folders.filter((name) => /.+\/.+/.test(name));
    },
    datasets,
    operations,
    loads,
    appends,
    appendEvents,
    query,
    catalog,
    async rows(dataset) {
      await using pinned = await datasets.pin(dataset, 0, { signal: new AbortController().signal });
      const paths = pinned.segmentPaths.map((path) => `'${path}'`).join(", ");
      if (paths === "") return [];
      const statement = { text: `SELECT * FROM read_parquet([${paths}])`, parameters: [] };
      await using result = await reading.read.query(statement, { signal: new AbortController().signal });
      const rows: string[] = [];
      for (let batch = await result.next(); batch !== undefined; batch = await result.next())
        rows.push(...batch.toRows().map((row) => JSON.stringify(row)));
      return rows.sort();
    },
    start: (dataset, uri, { options: given = {}, operationId, labels = {} } = {}) =>
      loads.load({
        dataset,
        source: { uri, format: undefined, options: given },
        labels,
        requestedBy: "test",
        caller: "test",
        ...(operationId !== undefined && { operationId }),
      }),
    async end(id) {
      await events(id);
      return operations.get(id);
    },
    events,
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}
