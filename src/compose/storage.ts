import { type Catalog, openCatalog } from "../catalog/catalog.ts";
import type { Instance } from "../catalog/instance.ts";
import type { MemoryShares } from "../config/memory-shares.ts";
import type { Settings } from "../config/settings.ts";
import { datasetsFolder } from "../datasets/layout.ts";
import type { DatasetStore } from "../datasets/model.ts";
import { openDatasetStore } from "../datasets/store.ts";
import { openReadEngine } from "../engine/duckdb/read-engine.ts";
import type { ReadEngine } from "../engine/engine.ts";
import type { StartPhase } from "../lifecycle/launch-messages.ts";
import type { WorkFolder } from "../lifecycle/work-folder.ts";
import type { Logger } from "../observability/logger.ts";
import type { Metrics } from "../observability/metrics.ts";
import type { Operations } from "../operations/model.ts";
import { createOperations } from "../operations/operations.ts";
import type { DriverLife } from "./life.ts";
import { logDatasetEvent, logOperation } from "./log-events.ts";
import { countDatasetEvent } from "./metrics.ts";

export interface StorageOptions {
  readonly settings: Settings;
  readonly shares: MemoryShares;
  /** Real. */
  readonly dataDirectory: string;
  readonly instance: Instance;
  readonly workFolder: WorkFolder;
  readonly life: DriverLife;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly onPhase: (phase: StartPhase) => void;
}

/** What a data directory holds, and the engine that reads it. */
export interface Storage {
  readonly catalog: Catalog;
  readonly engine: ReadEngine;
  readonly datasets: DatasetStore;
  readonly operations: Operations;
  /** Where the engine may write files that are sent and removed. */
  readonly exportDirectory: string;
}

/** Opens what lies in the data directory; `parts` closes it. */
export async function openStorage(parts: AsyncDisposableStack, options: StorageOptions): Promise<Storage> {
  const { settings, shares, dataDirectory, instance, workFolder, life, metrics, logger, onPhase } = options;
  const own = async <T extends AsyncDisposable>(opening: Promise<T>): Promise<T> => parts.use(await opening);
  const exportDirectory = await workFolder.make("exports");
  const openReader = async () =>
    openReadEngine({
      memoryLimitBytes: shares.reader,
      threads: settings.threads,
      spillDirectory: await workFolder.make("reader"),
      maxSpillBytes: settings.spill.maxBytes / 2,
      allowedDirectories: [datasetsFolder(dataDirectory), exportDirectory],
      connections: settings.pools.readers.size,
    });
  // At once, because engines open on other threads: 20 ms less of a start.
  const [catalog, engine] = await Promise.all([
    own(openCatalog({ dataDirectory, instance })).then((opened) => {
      onPhase("engine");
      return opened;
    }),
    own(openReader()),
  ]);
  const datasets = parts.use(
    await openDatasetStore({
      ...{ dataDirectory, instance, catalog, engine },
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
  const operations = parts.use(
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
  return { catalog, engine, datasets, operations, exportDirectory };
}
