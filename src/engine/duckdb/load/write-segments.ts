import { chmod, open, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { DriverError } from "../../../errors/driver-error.ts";
import type { WriteOptions } from "../../engine.ts";
import type { SegmentInfo, SegmentLimits } from "../../file-scan.ts";
import type { Column } from "../../types.ts";
import type { Connection } from "../connection.ts";
import { quoteLiteral } from "../quoting.ts";
import { columnFromType } from "../types/columns.ts";

/** What a COPY is expected to read, for its progress and its row groups. */
export interface ScanSize {
  readonly totalBytes: number;
  /** Bytes of the source for a row; 0 if unknown. */
  readonly rowBytes: number;
  readonly columns: number;
}

export interface SegmentsOfSelect {
  readonly columns: readonly Column[];
  readonly segments: readonly SegmentInfo[];
  readonly rows: number;
  readonly bytes: number;
}

const ROW_GROUPS_PER_FILE = 8;
const MAX_ROW_GROUP_ROWS = 122_880;
const VECTOR_ROWS = 2_048;
/** Progress never goes back, so an estimate of rows had better be too small than larger than the exact number at the end. */
const ESTIMATE_MARGIN = 0.9;
/** What a value takes in DuckDB's memory while a row group is built, at least: a string's header. */
const VALUE_BYTES = 16;

/** Rows of a row group: the default unless rows are so wide that it would not fit; always whole vectors. */
export function rowGroupRows(limits: SegmentLimits, size: ScanSize): number {
  const rowBytes = Math.max(1, size.rowBytes + size.columns * VALUE_BYTES);
  const rows = Math.min(MAX_ROW_GROUP_ROWS, limits.maxRowGroupBytes / rowBytes, limits.maxRows);
  return Math.max(VECTOR_ROWS, Math.floor(rows / VECTOR_ROWS) * VECTOR_ROWS);
}

/** Runs a SELECT into Parquet files of `options.directory`, makes them durable and read-only, and says what they hold. */
export async function writeSelect(
  connection: Connection,
  select: string,
  size: ScanSize,
  options: WriteOptions,
): Promise<SegmentsOfSelect> {
  const groupRows = rowGroupRows(options.limits, size);
  const groupsPerFile = Math.max(1, Math.min(ROW_GROUPS_PER_FILE, Math.floor(options.limits.maxRows / groupRows)));
  const copy = [
    "FORMAT parquet",
    "COMPRESSION zstd",
    "PARQUET_VERSION v2",
    `ROW_GROUP_SIZE ${groupRows}`,
    `ROW_GROUP_SIZE_BYTES ${options.limits.maxRowGroupBytes}`,
    `ROW_GROUPS_PER_FILE ${groupsPerFile}`,
    `FILE_SIZE_BYTES ${options.limits.maxBytes}`,
    `FILENAME_PATTERN '${options.prefix}{i}'`,
    "RETURN_STATS true",
    // The folder may hold other things of the load; without this DuckDB insists on an empty one.
    "OVERWRITE_OR_IGNORE true",
  ].join(", ");
  const sql = `COPY (${select}) TO ${quoteLiteral(options.directory)} (${copy})`;
  const reader = await connection.run(sql, [], { signal: options.signal, ...progressOf(size, options) });
  const written = (await reader.getRowObjects()).map((row) => ({
    file: basename(String(row.filename)),
    rows: Number(row.count),
    bytes: Number(row.file_size_bytes),
  }));
  const columns = await columnsOf(connection, join(options.directory, written[0]?.file ?? ""), options.signal);
  const segments = written.filter(({ rows }) => rows > 0).sort(bySequence);
  for (const { file, rows } of written) if (rows === 0) await rm(join(options.directory, file));
  await seal(options.directory, segments);
  return { columns, segments, rows: sum(segments, "rows"), bytes: sum(segments, "bytes") };
}

function bySequence(left: SegmentInfo, right: SegmentInfo): number {
  return left.file.length - right.file.length || (left.file < right.file ? -1 : 1);
}

function sum(segments: readonly SegmentInfo[], key: "rows" | "bytes"): number {
  return segments.reduce((total, segment) => total + segment[key], 0);
}

/**
 * DuckDB tells for a COPY how much of the source its scans have finished, not how many rows were written; rows are the
 * estimate of the sample scaled by that, until the exact count at the end.
 */
function progressOf(
  size: ScanSize,
  { onProgress }: WriteOptions,
): { onProgress?: (progress: { fraction: number | undefined }) => void } {
  if (!onProgress) return {};
  const rows = size.rowBytes > 0 ? (size.totalBytes / size.rowBytes) * ESTIMATE_MARGIN : 0;
  return {
    onProgress: ({ fraction }) =>
      onProgress({
        fraction,
        rows: Math.floor((fraction ?? 0) * rows),
        bytes: Math.floor((fraction ?? 0) * size.totalBytes),
      }),
  };
}

/** The columns as the files have them: that is what queries will see. */
async function columnsOf(connection: Connection, path: string, signal: AbortSignal): Promise<readonly Column[]> {
  const result = await connection.run(`SELECT * FROM read_parquet(${quoteLiteral(path)}) LIMIT 0`, [], { signal });
  return result.columnNames().map((name, index) => columnFromType(name, result.columnType(index)));
}

/** A segment is immutable: no write permission, and on disk before any manifest names it. */
async function seal(directory: string, segments: readonly SegmentInfo[]): Promise<void> {
  await Promise.all(segments.map(({ file }) => sealFile(join(directory, file))));
  const folder = await open(directory, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function sealFile(path: string): Promise<void> {
  const file = await open(path, "r+");
  try {
    await file.sync();
  } catch (error) {
    throw new DriverError("DISK_FULL", `${path} can't be made durable`, { cause: error });
  } finally {
    await file.close();
  }
  await chmod(path, 0o444);
}
