import { DriverError } from "../errors/driver-error.ts";
import type { Asker, AwaitedLoad, AwaitOptions, LoadWaits } from "./await-load.ts";
import type { Freshness, Question } from "./model.ts";
import type { QueryServiceParts } from "./parts.ts";
import { seenLoadError } from "./version-view.ts";

/** A refresh that somebody waits for. */
export interface AwaitedRefresh {
  readonly load: AwaitedLoad;
  /** Whether it has begun just now, so that nothing could be fresher. */
  readonly isNew: boolean;
}

/** Says how old datasets are, and has them refreshed; composed from outside. */
export interface FreshDatasets {
  /**
   * The refresh to be waited for, started where none runs, because the current version is too old. Undefined where it is young
   * enough, or where staleness is allowed; then too the refresh is started.
   */
  refreshing(dataset: string, freshness: Freshness, asker: Asker): Promise<AwaitedRefresh | undefined>;
}

interface Parts extends Pick<QueryServiceParts, "fresh"> {
  readonly waits: LoadWaits;
}

/** Sees to it that what a question reads is as young as it asks for. To be called without a place in the readers' pool. */
export async function makeFresh(
  question: Question,
  parts: Parts & Pick<QueryServiceParts, "engine">,
  options: AwaitOptions,
): Promise<void> {
  if (question.kind === "aggregate") {
    const { dataset, freshness } = question.query;
    return makeDatasetFresh(parts, dataset, freshness, options);
  }
  const { sql, freshness, versions = {} } = question;
  if (freshness === undefined) return;
  const { datasets } = await parts.engine.checkSql(sql, options);
  const current = datasets.filter((dataset) => !Object.hasOwn(versions, dataset));
  await Promise.all(current.map((dataset) => makeDatasetFresh(parts, dataset, freshness, options)));
}

/** Waits for one refresh, and for another only where that one had begun too long ago. Throws what a refresh fails with, DATASET_LOADING. */
export async function makeDatasetFresh(
  { fresh, waits }: Parts,
  dataset: string,
  freshness: Freshness | undefined,
  options: AwaitOptions,
): Promise<void> {
  // What is not granted is not there, which its reading will say.
  if (freshness === undefined || !options.access.mayRead(dataset)) return;
  const { requestedBy, caller, access } = options;
  for (;;) {
    options.signal.throwIfAborted();
    const refresh = await fresh
      ?.refreshing(dataset, freshness, { requestedBy, caller, whose: access })
      .catch((error: unknown) => {
        throw seenLoadError(error, dataset, access);
      });
    if (refresh === undefined) return;
    if (!options.wait) throw loading(dataset, refresh.load);
    await waits.wait(refresh.load, dataset, options);
    if (refresh.isNew) return;
  }
}

function loading(dataset: string, { operationId }: AwaitedLoad): DriverError {
  return new DriverError("DATASET_LOADING", `operation "${operationId}" refreshes "${dataset}", which is too old`, {
    metadata: { dataset, operation: operationId },
  });
}
