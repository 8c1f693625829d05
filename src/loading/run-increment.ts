import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { StagedVersion } from "../datasets/model.ts";
import type { ResolvedSource } from "../definitions/model.ts";
import type { IncrementRule } from "../engine/increment.ts";
import { DriverError } from "../errors/driver-error.ts";
import { remembered } from "../library-sets/ran-with.ts";
import type { OperationHandle } from "../operations/model.ts";
import { requireRule, requireSameColumns, windowFilter } from "./increment-rule.ts";
import type { LoadOutcome, LoadRequest } from "./model.ts";
import { boundedOutcome } from "./outcome.ts";
import type { LoadServiceParts } from "./service.ts";
import { watchSpace } from "./watch-space.ts";
import type { WorkerLease, WorkerPool } from "./workers/model.ts";
import type { ReadSegments } from "./workers/read-source.ts";
import { isWorkerFailure } from "./workers/worker-process.ts";

/** What a load has read into its folder. */
export interface ReadRows {
  readonly written: ReadSegments;
  readonly warnings: readonly string[];
}

export interface IncrementLoad extends LoadRequest {
  readonly increment: IncrementRule;
}

/** Reads a source into a staged folder. */
export type ReadSource = (
  source: ResolvedSource,
  staged: StagedVersion,
  options: { readonly signal: AbortSignal },
) => Promise<ReadRows>;

/** Appends, rollbacks and merging of segments publish versions while an increment is read; then it starts over. */
const MAX_ATTEMPTS = 5;

/**
 * Reads what is new at the source since the current version, and publishes a version of both. Answers undefined where
 * everything is new, so that all must be read. Throws INVALID_INCREMENT, SCHEMA_CHANGED, DUPLICATE_KEY.
 */
export async function runIncrement(
  parts: LoadServiceParts,
  source: ResolvedSource,
  request: IncrementLoad,
  handle: OperationHandle,
  readSource: ReadSource,
): Promise<LoadOutcome | undefined> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await readAndMerge(parts, source, request, handle, readSource);
    } catch (error) {
      const isOvertaken = error instanceof DriverError && error.reason === "VERSION_CONFLICT";
      if (!isOvertaken || attempt === MAX_ATTEMPTS) throw error;
    }
  }
}

async function readAndMerge(
  { datasets, workers, freshness, options: { limits } }: LoadServiceParts,
  source: ResolvedSource,
  { dataset, increment: rule, labels }: IncrementLoad,
  handle: OperationHandle,
  readSource: ReadSource,
): Promise<LoadOutcome | undefined> {
  const readTime = new Date();
  await using base = await datasets.pin(dataset, 0, { signal: handle.signal });
  const { columns, segments, number } = base.manifest;
  requireRule(rule, columns);
  const stored = { columns, segments, paths: base.segmentPaths };
  const from = await inWorker(workers, handle.signal, (worker) =>
    worker.call("startOfIncrement", { rule, base: stored }, { signal: handle.signal }),
  );
  if (from === undefined) return undefined;
  await using staged = await datasets.stage(dataset);
  using space = watchSpace(() => datasets.checkSpace(), { signal: handle.signal });
  const { signal } = space;
  try {
    const { written, warnings } = await readSource(narrowed(source, rule, from), staged, { signal });
    requireSameColumns(columns, written.columns, dataset);
    handle.report({ phase: "merging", fraction: 1, rows: written.rows });
    const paths = written.segments.map(({ file }) => join(staged.directory, file));
    const fresh = { columns, segments: written.segments, paths };
    const increment = { rule, from, base: stored, fresh };
    const place = { directory: staged.directory, prefix: "merged-", limits };
    const merge = (worker: WorkerLease) =>
      worker.call("mergeIncrement", { increment, place, threads: workers.threadShare() }, { signal });
    const merged = await inWorker(workers, signal, merge, () => removePrefixed(staged.directory, place.prefix));
    const { sourceBytes, rejectedRows, rejectedSamples } = written;
    const libraries = remembered(written.ranWith);
    const read = { sourceBytes, rejectedRows, rejectedSamples, warnings, ...libraries };
    if (!merged.changed) {
      await freshness.seen(base.place, readTime);
      return boundedOutcome({ ...sizeOf(segments), ...read, version: number, unchanged: true });
    }
    handle.report({ phase: "publishing" });
    const all = [...(await staged.keep(base, merged.kept)), ...merged.written];
    signal.throwIfAborted();
    const { restoredFrom, extends: extended, mixed } = base.manifest.lineage;
    const lineage = {
      ...source.named,
      increment: rule,
      ...libraries,
      // Rows that its source does not give stay in it.
      ...((restoredFrom ?? extended ?? mixed) !== undefined && { mixed: true as const }),
      operationId: handle.id,
      readTime: readTime.toISOString(),
    };
    const content = { columns, segments: all, ...sizeOf(all), sourceBytes, lineage, warnings, rejectedRows };
    const { current } = await staged.publish(content, labels, { basedOn: base.place });
    return boundedOutcome({ ...sizeOf(all), ...read, version: current.number, replacedRows: merged.replacedRows });
  } catch (error) {
    space.signal.throwIfAborted();
    throw error;
  }
}

/**
 * Has a worker do something with segments, a second time where it has died: once `clear` has taken away what it left. The worker
 * holds nothing afterwards, so it is given back whatever comes of it.
 */
async function inWorker<T>(
  workers: WorkerPool,
  signal: AbortSignal,
  work: (worker: WorkerLease) => Promise<T>,
  clear: () => Promise<void> = async () => undefined,
): Promise<T> {
  const carryOut = async () => {
    await using worker = await workers.lease("first", { signal });
    return await work(worker);
  };
  try {
    return await carryOut();
  } catch (thrown) {
    if (!isWorkerFailure(DriverError.from(thrown)) || signal.aborted) throw thrown;
    await clear();
    return carryOut();
  }
}

async function removePrefixed(folder: string, prefix: string): Promise<void> {
  for (const name of await readdir(folder)) if (name.startsWith(prefix)) await rm(join(folder, name), { force: true });
}

function sizeOf(segments: readonly { readonly rows: number; readonly bytes: number }[]) {
  const sum = (key: "rows" | "bytes") => segments.reduce((total, segment) => total + segment[key], 0);
  return { rows: sum("rows"), bytes: sum("bytes") };
}

/** The source with only the rows of the window, as far as it can leave others out. */
function narrowed(source: ResolvedSource, rule: IncrementRule, from: string): ResolvedSource {
  return {
    ...source,
    open: async (options) => {
      const opened = await source.open(options);
      return { ...opened, filter: windowFilter(rule, from, opened.filter) };
    },
  };
}
