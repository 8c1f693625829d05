import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { folderMode } from "../config/file-modes.ts";
import { asStorageError } from "../datasets/files.ts";
import type { StagedVersion } from "../datasets/model.ts";
import type { ResolvedSource } from "../definitions/model.ts";
import type { WrittenSegments } from "../engine/file-scan.ts";
import type { OperationHandle } from "../operations/model.ts";
import { loadConnector } from "../sources/connectors.ts";
import type { LoadEnd } from "./load-once.ts";
import type { LoadOutcome, LoadRequest } from "./model.ts";
import { boundedOutcome, boundedWarnings } from "./outcome.ts";
import type { LoadServiceParts } from "./service.ts";
import { watchSpace } from "./watch-space.ts";
import { LoadSession, merged } from "./worker/load-session.ts";

const WORK_FOLDER = "work";

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
  const warnings: string[] = [];
  const warn = (messages: readonly string[]) => {
    const bounded = boundedWarnings(messages);
    for (const message of bounded) handle.warn(message);
    warnings.push(...bounded);
  };
  const workDirectory = join(staged.directory, WORK_FOLDER);
  await mkdir(workDirectory, { mode: folderMode() });
  const { fileRoots, limits } = parts.options;
  const connector = await loadConnector(source.kind.kind);
  const context = { signal, fileRoots, workDirectory, statement: async () => ({ [Symbol.dispose]: () => undefined }) };
  await using session = await connector.open(await source.open({ signal }), context);
  const load = new LoadSession({
    ...{ session, signal, workDirectory, limits },
    engine: async () => parts.engine,
    directory: staged.directory,
    listener: {
      onProgress: (progress) => handle.report(progress),
      onPhase: (phase) => handle.report({ phase }),
      onWarning: warn,
    },
  });
  const plan = await load.plan(1);
  warn(plan.warnings);
  handle.report({ totalBytes: plan.totalBytes });
  const read = async () => {
    const segments: WrittenSegments[] = [];
    for (const [number, partition] of plan.partitions.entries()) segments.push(await load.read(partition, number));
    return merged(segments);
  };
  // A file that was cut while it was read looks broken; that it changed is what is wrong with it.
  const written = await read().finally(() => load.requireUnchanged());
  handle.report({ phase: "publishing", fraction: 1, rows: written.rows, bytes: plan.totalBytes });
  await rm(workDirectory, { recursive: true });
  return publish(request, source, written, warnings, handle, staged);
}

async function publish(
  request: BegunLoad,
  source: ResolvedSource,
  written: WrittenSegments,
  warnings: readonly string[],
  handle: OperationHandle,
  staged: StagedVersion,
): Promise<LoadOutcome> {
  handle.signal.throwIfAborted();
  const { columns, segments, rows, bytes, sourceBytes, rejectedRows, rejectedSamples } = written;
  const { current } = await staged.publish(
    {
      columns,
      segments,
      rows,
      bytes,
      sourceBytes,
      lineage: { ...source.named, operationId: handle.id, readTime: request.readTime },
      warnings,
      rejectedRows,
    },
    request.labels,
  );
  return boundedOutcome({ version: current.number, rows, bytes, sourceBytes, rejectedRows, rejectedSamples, warnings });
}
