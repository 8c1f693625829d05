import type { Settings } from "../config/settings.ts";
import { watchSpace } from "../loading/watch-space.ts";
import type { Metrics } from "../observability/metrics.ts";
import { createExportService } from "../queries/export/service.ts";
import { createQueryService } from "../queries/service.ts";
import type { Pool } from "../scheduling/model.ts";
import type { Loading } from "./loading.ts";
import type { Storage } from "./storage.ts";

/** What the contract promises: Query's answers up to 4 MiB, ListRows' pages up to 1 MiB. */
const QUERY_LIMITS = { maxAnswerBytes: 4 * 2 ** 20, maxPageBytes: 2 ** 20 };

export interface QuestionsOptions {
  readonly settings: Settings;
  readonly storage: Storage;
  readonly loading: Pick<Loading, "finder" | "refresh">;
  /** The readers' places. */
  readonly pool: Pool;
  readonly metrics: Metrics;
}

/** Everything that answers from datasets. */
export function composeQuestions({ settings, storage, loading, pool, metrics }: QuestionsOptions) {
  const { engine, datasets, operations, exportDirectory } = storage;
  const parts = { engine, datasets, operations, pool, loads: loading.finder, fresh: loading.refresh };
  const { detachedTimeout, resultTtl, spoolBytes, spoolBytesPerQuery } = settings.limits;
  const queries = createQueryService({
    ...parts,
    limits: {
      ...QUERY_LIMITS,
      detachedTimeoutMs: detachedTimeout,
      resultTtlMs: resultTtl,
      ...{ spoolBytes, spoolBytesPerQuery },
    },
    onReattach: (outcome) => metrics.count("drover_query_reattachments_total", [outcome]),
  });
  const exports = createExportService({
    ...parts,
    directory: exportDirectory,
    watchSpace: (signal) => watchSpace(() => datasets.checkSpace(), { signal }),
  });
  return { queries, exports };
}
