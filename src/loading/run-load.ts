import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { folderMode } from "../config/file-modes.ts";
import { asStorageError } from "../datasets/files.ts";
import type { StagedVersion } from "../datasets/model.ts";
import type { FileScan, WrittenSegments } from "../engine/file-scan.ts";
import { TypeContradiction } from "../engine/type-contradiction.ts";
import type { OperationHandle } from "../operations/model.ts";
import type { Connector } from "../sources/connector.ts";
import { requireUnchanged } from "../sources/source-files.ts";
import type { LoadEnd } from "./load-once.ts";
import type { LoadOutcome, LoadRequest } from "./model.ts";
import { boundedOutcome, boundedWarnings } from "./outcome.ts";
import type { LoadServiceParts } from "./service.ts";
import { watchSpace } from "./watch-space.ts";

/** A diagnosis sees the whole file, so one restart is enough; the second one is for what it could not foresee. */
const MAX_RESTARTS = 2;
const WORK_FOLDER = "work";

/** Carries out one load: waits for a place, reads, writes into a staged folder, publishes. */
export async function runLoad(
  parts: LoadServiceParts,
  connector: Connector,
  request: LoadRequest,
  handle: OperationHandle,
): Promise<LoadEnd> {
  using _permit = await parts.pool.acquire({ signal: handle.signal, lane: "interactive", caller: request.caller });
  handle.begin();
  handle.report({ phase: "sniffing" });
  await using staged = await parts.datasets.stage(request.dataset);
  using space = watchSpace(() => parts.datasets.checkSpace(), { signal: handle.signal });
  try {
    const outcome = await stageAndPublish(parts, connector, request, handle, staged, space.signal);
    return { result: outcome, outcome: { ...outcome } };
  } catch (error) {
    // What stopped the work is what went wrong, whatever it made of its end.
    space.signal.throwIfAborted();
    throw asStorageError(error);
  }
}

async function stageAndPublish(
  parts: LoadServiceParts,
  connector: Connector,
  request: LoadRequest,
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
  const { fileRoots } = parts.options;
  const resolved = await connector.resolve(request.source, { signal, fileRoots, workDirectory });
  handle.report({ totalBytes: resolved.totalBytes });
  const read = async () => {
    const sniffed = await parts.engine.sniff(resolved, { signal });
    warn(sniffed.warnings);
    handle.report({ phase: "reading" });
    return writeSegments(parts, sniffed.scan, staged.directory, handle, signal, warn);
  };
  // A file that was cut while it was read looks broken; that it changed is what is wrong with it.
  const written = await read().finally(() => requireUnchanged(resolved.origins, { signal }));
  handle.report({ phase: "publishing", fraction: 1, rows: written.rows, bytes: resolved.totalBytes });
  await rm(workDirectory, { recursive: true });
  return publish(request, connector, written, warnings, handle, staged);
}

async function writeSegments(
  { engine, options }: LoadServiceParts,
  first: FileScan,
  directory: string,
  handle: OperationHandle,
  signal: AbortSignal,
  warn: (messages: readonly string[]) => void,
): Promise<WrittenSegments> {
  let scan = first;
  for (let restarts = 0; ; restarts++) {
    try {
      return await engine.writeSegments(scan, {
        signal,
        directory,
        limits: options.limits,
        onProgress: (progress) => handle.report(progress),
      });
    } catch (error) {
      if (!(error instanceof TypeContradiction) || restarts === MAX_RESTARTS) throw error;
      warn(error.warnings);
      scan = error.scan;
    }
  }
}

async function publish(
  request: LoadRequest,
  connector: Connector,
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
      lineage: {
        format: connector.kind,
        uri: request.source.uri,
        options: request.source.options,
        operationId: handle.id,
      },
      warnings,
      rejectedRows,
    },
    request.labels,
  );
  return boundedOutcome({ version: current.number, rows, bytes, sourceBytes, rejectedRows, rejectedSamples, warnings });
}
