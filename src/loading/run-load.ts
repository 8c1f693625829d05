import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { asStorageError } from "../datasets/files.ts";
import type { StagedVersion } from "../datasets/model.ts";
import type { ResolvedSource } from "../definitions/model.ts";
import { DriverError } from "../errors/driver-error.ts";
import { remembered } from "../library-sets/ran-with.ts";
import type { OperationHandle } from "../operations/model.ts";
import { requireRule } from "./increment-rule.ts";
import type { LoadEnd } from "./load-once.ts";
import type { LoadOutcome, LoadRequest } from "./model.ts";
import { boundedOutcome, boundedWarnings } from "./outcome.ts";
import { type ReadRows, type ReadSource, runIncrement } from "./run-increment.ts";
import type { LoadServiceParts } from "./service.ts";
import { permitsFor } from "./statement-permits.ts";
import { watchSpace } from "./watch-space.ts";
import { type ReadSegments, readSource } from "./workers/read-source.ts";
import { isWorkerFailure } from "./workers/worker-process.ts";

interface BegunLoad extends LoadRequest {
  /** When the source began to be read. */
  readonly readTime: string;
}

/** Carries out one load: waits for a place, reads, writes into a staged folder, publishes. */
export async function runLoad(
  parts: LoadServiceParts,
  source: ResolvedSource,
  request: LoadRequest,
  handle: OperationHandle,
): Promise<LoadEnd> {
  using _permit = await parts.pool.acquire({ signal: handle.signal, lane: "interactive", caller: request.caller });
  handle.begin();
  handle.report({ phase: "sniffing" });
  const { increment } = request;
  if (request.onlyNew && increment !== undefined) {
    const read: ReadSource = (narrowed, staged, { signal }) =>
      readInto(staged, parts, { source: narrowed, caller: request.caller, handle, signal });
    const outcome = await runIncrement(parts, source, { ...request, increment }, handle, read);
    if (outcome !== undefined) return { result: outcome, outcome: { ...outcome } };
    handle.warn(`there is no value of ${JSON.stringify(increment.watermark)} to go on from, so everything is read`);
  }
  const readTime = new Date().toISOString();
  await using staged = await parts.datasets.stage(request.dataset);
  using space = watchSpace(() => parts.datasets.checkSpace(), { signal: handle.signal });
  try {
    const outcome = await stageAndPublish(parts, source, { ...request, readTime }, handle, staged, space.signal);
    return { result: outcome, outcome: { ...outcome } };
  } catch (error) {
    // What stopped the work is what went wrong, whatever it made of its end.
    space.signal.throwIfAborted();
    throw asStorageError(error);
  }
}

async function stageAndPublish(
  parts: LoadServiceParts,
  source: ResolvedSource,
  request: BegunLoad,
  handle: OperationHandle,
  staged: StagedVersion,
  signal: AbortSignal,
): Promise<LoadOutcome> {
  const { written, warnings } = await readInto(staged, parts, { source, caller: request.caller, handle, signal });
  requireRule(request.increment, written.columns);
  return publish(request, source, written, warnings, handle, staged);
}

interface ReadingParts {
  readonly source: ResolvedSource;
  readonly caller: string;
  readonly handle: OperationHandle;
  readonly signal: AbortSignal;
}

/** Reads a source into a staged folder; a second time where its worker has died. */
async function readInto(
  staged: StagedVersion,
  parts: LoadServiceParts,
  { source, caller, handle, signal }: ReadingParts,
): Promise<ReadRows> {
  const warnings: string[] = [];
  const warn = (messages: readonly string[]) => {
    const bounded = boundedWarnings(messages);
    for (const message of bounded) handle.warn(message);
    warnings.push(...bounded);
  };
  const listener = {
    onProgress: (progress: Parameters<OperationHandle["report"]>[0]) => handle.report(progress),
    onPhase: (phase: string) => handle.report({ phase }),
    onWarning: warn,
  };
  const { workers: pool, options } = parts;
  const permits = permitsFor(parts.statements, source, caller);
  const read = async () => {
    const opened = await source.open({ signal });
    const more = { limits: options.limits, directory: staged.directory };
    return readSource({ ...{ pool, permits, source: opened, set: source.set, signal, listener }, ...more });
  };
  const written = await read().catch(async (thrown: unknown) => {
    const error = DriverError.from(thrown);
    if (!isWorkerFailure(error) || signal.aborted) throw error;
    // Reading changes nothing at a source, so a worker's death, which may have had nothing to do with this load, is worth a second try.
    // What was said of the first reading is said again of the second.
    warnings.length = 0;
    warn([`${error.message}; the load starts over`]);
    await emptyFolder(staged.directory);
    return read();
  });
  handle.report({ phase: "publishing", fraction: 1, rows: written.rows, bytes: written.sourceBytes });
  return { written, warnings };
}

async function emptyFolder(folder: string): Promise<void> {
  for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true, force: true });
}

async function publish(
  request: BegunLoad,
  source: ResolvedSource,
  written: ReadSegments,
  warnings: readonly string[],
  handle: OperationHandle,
  staged: StagedVersion,
): Promise<LoadOutcome> {
  handle.signal.throwIfAborted();
  const { columns, segments, rows, bytes, sourceBytes, rejectedRows, rejectedSamples } = written;
  const libraries = remembered(written.ranWith);
  const { current } = await staged.publish(
    {
      columns,
      segments,
      rows,
      bytes,
      sourceBytes,
      lineage: {
        ...source.named,
        ...(request.increment && { increment: request.increment }),
        ...libraries,
        operationId: handle.id,
        readTime: request.readTime,
      },
      warnings,
      rejectedRows,
    },
    request.labels,
  );
  const read = { rows, bytes, sourceBytes, rejectedRows, rejectedSamples, warnings, ...libraries };
  return boundedOutcome({ version: current.number, ...read });
}
