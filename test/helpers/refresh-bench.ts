import { createLoadFinder } from "../../src/loading/load-finder.ts";
import type { RefreshService } from "../../src/loading/refresh/model.ts";
import { createRefreshService } from "../../src/loading/refresh/refresh-service.ts";
import { Scheduler } from "../../src/loading/refresh/scheduler.ts";
import { type LoadBench, openLoadBench } from "./load-service.ts";

/** Refreshes over the load use case, with a clock that only the test moves. */
export interface RefreshBench extends AsyncDisposable {
  readonly bench: LoadBench;
  readonly refresh: RefreshService;
  readonly scheduler: Scheduler;
  /** What could not be noted. */
  readonly errors: unknown[];
  /** What the clock shows. */
  now(): Date;
  /** Moves the clock. */
  pass(milliseconds: number): void;
  /** Rows of a dataset's current version, as text, sorted. */
  rows(dataset: string): Promise<readonly string[]>;
}

export async function openRefreshBench(): Promise<RefreshBench> {
  const parts = new AsyncDisposableStack();
  const bench = parts.use(await openLoadBench());
  const { datasets, operations, catalog, loads } = bench;
  const finder = createLoadFinder({
    ...{ loads, operations, datasets, claims: catalog.loads },
    notes: { keep: () => new AsyncDisposableStack(), read: async () => undefined },
  });
  const errors: unknown[] = [];
  let ahead = 0;
  const now = () => new Date(Date.now() + ahead);
  const onError = (error: unknown) => errors.push(error);
  const { refreshes } = catalog;
  const refresh = createRefreshService({
    ...{ datasets, operations, refreshes, now, onError },
    loads: { load: (request) => loads.load(request), running: (dataset) => finder.running(dataset) },
  });
  const scheduler = parts.use(
    new Scheduler({
      ...{ datasets, operations, refreshes, now, onError, service: refresh },
      isServing: () => true,
      maxAtOnce: 2,
    }),
  );
  return {
    ...{ bench, refresh, scheduler, errors, now },
    pass(milliseconds) {
      ahead += milliseconds;
    },
    rows: (dataset) => bench.rows(dataset),
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}
