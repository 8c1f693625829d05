import { open } from "node:fs/promises";
import { join } from "node:path";
import { fileMode } from "../../config/file-modes.ts";
import { appendOf } from "../../datasets/appends.ts";
import { asStorageError } from "../../datasets/files.ts";
import type { DatasetInfo, Lineage, StagedVersion, VersionManifest } from "../../datasets/model.ts";
import { datasetNotFound } from "../../datasets/not-found.ts";
import { declaredType } from "../../engine/declared-type.ts";
import type { WrittenSegments } from "../../engine/file-scan.ts";
import type { Column } from "../../engine/types.ts";
import { DriverError } from "../../errors/driver-error.ts";
import { isWorkerFailure } from "../workers/worker-process.ts";
import { appendKey } from "./append-key.ts";
import { type Base, type Extension, extendVersion } from "./extend-version.ts";
import type { AppendRequest } from "./model.ts";
import type { AppendServiceParts } from "./parts.ts";
import type { RowBatch } from "./row-buffer.ts";

export interface Flushed {
  readonly rows: number;
  readonly info: DatasetInfo;
}

interface FlushOptions {
  readonly signal: AbortSignal;
  readonly operationId: string;
}

/**
 * Makes a new version of the rows that have come: all of them or nothing. `durable` says how many rows of the append are in the
 * dataset before; where that is not so, APPEND_OUT_OF_STEP is thrown and nothing has happened.
 */
export async function flush(
  parts: AppendServiceParts,
  request: AppendRequest,
  batch: RowBatch,
  durable: number,
  options: FlushOptions,
): Promise<Flushed> {
  const { datasets } = parts;
  const { signal } = options;
  await using staged = await datasets.stage(request.dataset, { givesWay: true });
  try {
    let written: WrittenSegments | undefined;
    let writes = 0;
    const extend = async (base: Base) => {
      requireStep(request, base, durable);
      const columns = base?.manifest.columns ?? newColumns(request);
      if (written === undefined || !isSame(written.columns, columns)) {
        const prefix = `segment-${writes++}-`;
        // Anew each time: an attempt to publish takes away what is no segment.
        const path = join(staged.directory, `${prefix}rows`);
        await writeChunks(path, batch.chunks);
        written = await writeRows(parts, request, {
          ...{ path, columns, durable, signal, prefix },
          directory: staged.directory,
        });
      }
      if (written.rows === 0 && base !== undefined) return undefined;
      return extension(request, base, written, staged, durable, options);
    };
    const info = await extendVersion(datasets, request.dataset, staged, extend, { signal });
    return { rows: written?.rows ?? 0, info: info ?? datasets.get(request.dataset) };
  } catch (error) {
    throw asStorageError(error);
  } finally {
    batch.written();
  }
}

/** Throws APPEND_OUT_OF_STEP unless so many rows of the append are in the dataset, DATASET_NOT_FOUND if there is none. */
export function requireStep(request: AppendRequest, base: Base, durable: number): void {
  const { dataset, id, create } = request;
  if (base === undefined && (durable > 0 || create.length === 0)) throw datasetNotFound(dataset);
  const rows = base === undefined ? 0 : (appendOf(base.manifest, appendKey(request))?.rows ?? 0);
  if (rows === durable) return;
  throw new DriverError(
    "APPEND_OUT_OF_STEP",
    `${rows} rows of the append ${JSON.stringify(id)} are in ${JSON.stringify(dataset)}, not ${durable}`,
    { metadata: { dataset, append: id, durableRows: String(rows) } },
  );
}

async function writeChunks(path: string, chunks: readonly Uint8Array[]): Promise<void> {
  const file = await open(path, "wx", fileMode());
  try {
    // Bounded by the system: at most so many buffers at once.
    for (let at = 0; at < chunks.length; at += MAX_VECTORS) await file.writev(chunks.slice(at, at + MAX_VECTORS));
  } finally {
    await file.close();
  }
}

const MAX_VECTORS = 512;

interface WriteOptions {
  readonly path: string;
  readonly columns: readonly Column[];
  readonly directory: string;
  readonly prefix: string;
  readonly durable: number;
  readonly signal: AbortSignal;
}

async function writeRows(
  { workers, limits }: AppendServiceParts,
  { format, names }: AppendRequest,
  { path, columns, directory, prefix, durable, signal }: WriteOptions,
): Promise<WrittenSegments> {
  const write = async (attempt: string) => {
    await using lease = await workers.lease("interactive", { signal });
    const task = { path, format, columns, names, firstRow: durable + 1, directory, prefix: prefix + attempt, limits };
    return await lease.call("writeRows", { ...task, threads: workers.threadShare() }, { signal });
  };
  try {
    return await write("");
  } catch (error) {
    // The rows are at hand: a worker's death is no reason to ask for them again.
    if (!(error instanceof DriverError) || !isWorkerFailure(error)) throw error;
    return await write("again-");
  }
}

async function extension(
  request: AppendRequest,
  base: Base,
  { rows, bytes, segments, columns, sourceBytes }: WrittenSegments,
  staged: StagedVersion,
  durable: number,
  { operationId }: FlushOptions,
): Promise<Extension> {
  const append = { id: appendKey(request), rows: durable + rows, timeMs: Date.now() };
  const appended = { id: request.id, rows };
  if (base === undefined) {
    const content = { columns, segments, rows, bytes, sourceBytes, warnings: [], rejectedRows: 0 };
    const lineage = { ...newLineage(operationId), appended };
    return { content: { ...content, lineage }, labels: request.labels, append };
  }
  const { manifest } = base;
  const kept = await staged.keep(base, manifest.segments);
  return {
    append,
    content: {
      columns: manifest.columns,
      segments: [...kept, ...segments],
      rows: manifest.rows + rows,
      bytes: manifest.bytes + bytes,
      sourceBytes: manifest.sourceBytes + sourceBytes,
      lineage: { ...extendedLineage(manifest.lineage, manifest.number), ...freshness(manifest), operationId, appended },
      warnings: manifest.warnings,
      rejectedRows: manifest.rejectedRows,
    },
  };
}

/** Rows that nothing but appends brings are as new as the last of them. */
function newLineage(operationId: string): Lineage {
  return { format: APPENDED, uri: "", options: {}, operationId, readTime: new Date().toISOString() };
}

const APPENDED = "append";

/** The lineage of a version that has all rows of another one: the source is the same, what was done to that one is not. */
export function extendedLineage(
  { restoredFrom: _, appended: __, merged: ___, ...lineage }: Lineage,
  version: number,
): Lineage {
  return { ...lineage, extends: version };
}

/** Rows that a source has brought are as old as the last look at it, whatever was appended since. */
function freshness({ lineage }: VersionManifest): { readonly readTime?: string } {
  return lineage.format === APPENDED ? { readTime: new Date().toISOString() } : {};
}

function newColumns({ create }: AppendRequest): readonly Column[] {
  return create.map(({ name, type }) => {
    const known = declaredType(type);
    if (known === undefined)
      throw new DriverError("INVALID_REQUEST", `no column can have the type ${JSON.stringify(type)}`);
    return { name, type: known, kind: /^(?:TEXT|VARCHAR)$/.test(known) ? "text" : "other" };
  });
}

function isSame(one: readonly Column[], other: readonly Column[]): boolean {
  return (
    one.length === other.length &&
    one.every(({ name, type }, at) => other[at]?.name === name && other[at]?.type === type)
  );
}
