import { mkdir, realpath } from "node:fs/promises";
import { join } from "node:path";
import { openCatalog } from "../../src/catalog/catalog.ts";
import { claimInstance } from "../../src/catalog/instance.ts";
import type { DatasetStore } from "../../src/datasets/model.ts";
import { openDatasetStore } from "../../src/datasets/store.ts";
import { createDefinitions } from "../../src/definitions/definitions.ts";
import { createSecrets } from "../../src/definitions/secrets/secrets.ts";
import { createVault } from "../../src/definitions/secrets/vault.ts";
import type { LoadOutcome, LoadService, Started } from "../../src/loading/model.ts";
import { createLoadService, DEFAULT_SEGMENT_LIMITS } from "../../src/loading/service.ts";
import type { WorkerPool } from "../../src/loading/workers/model.ts";
import type { OperationEvent, OperationSnapshot, Operations } from "../../src/operations/model.ts";
import { createOperations } from "../../src/operations/operations.ts";
import { createPool } from "../../src/scheduling/pool.ts";
import { createStatementLimits } from "../../src/scheduling/statement-limits.ts";
import { sourceKinds } from "../../src/sources/kinds.ts";
import { openTestEngine } from "./dataset-store.ts";
import { temporaryFolder } from "./temporary-folder.ts";
import { openTestUploads } from "./uploads.ts";
import { openTestWorkers } from "./workers.ts";

/** The load use case over a data directory of its own, with the real parts around it. */
export interface LoadBench extends AsyncDisposable {
  readonly path: string;
  readonly dataDirectory: string;
  readonly workers: WorkerPool;
  readonly datasets: DatasetStore;
  readonly operations: Operations;
  readonly loads: LoadService;
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

export async function openLoadBench(options: { quotaBytes?: number } = {}): Promise<LoadBench> {
  const parts = new AsyncDisposableStack();
  const folder = parts.use(await temporaryFolder());
  const path = await realpath(folder.path);
  const dataDirectory = join(path, "data");
  await mkdir(dataDirectory);
  const instance = parts.use(await claimInstance({ dataDirectory, id: "test" }));
  const catalog = parts.use(await openCatalog({ dataDirectory, instance }));
  const reading = parts.use(await openTestEngine(dataDirectory));
  const workers = parts.use(openTestWorkers(path));
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
  const secrets = createSecrets({ environment: {}, fileRoots: () => undefined });
  const uploads = await openTestUploads(dataDirectory, instance, catalog);
  const loads = createLoadService({
    workers,
    definitions: createDefinitions({
      ...{ secrets, catalog: catalog.definitions, kinds: sourceKinds, statementLimit: 8, uploads },
      vault: createVault({ keyFile: join(dataDirectory, "secrets.key"), group: undefined }),
    }),
    statements: createStatementLimits(),
    datasets,
    operations,
    claims: catalog.loads,
    pool,
    options: { limits: DEFAULT_SEGMENT_LIMITS },
  });
  const events = async (id: string) => {
    const seen: OperationEvent[] = [];
    for await (const event of operations.watch(id, { signal: new AbortController().signal })) seen.push(event);
    return seen;
  };
  return {
    path,
    dataDirectory,
    workers,
    datasets,
    operations,
    loads,
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
