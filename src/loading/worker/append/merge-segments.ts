import type { LoadEngine } from "../../../engine/engine.ts";
import type { FileScan, WrittenSegments } from "../../../engine/file-scan.ts";
import { DriverError } from "../../../errors/driver-error.ts";
import type { MergeSegments } from "./protocol.ts";
import { requireSameColumns } from "./write-rows.ts";

/** Writes the rows of several segments into fewer. */
export async function mergeSegments(
  task: MergeSegments,
  { signal, engine }: { readonly signal: AbortSignal; readonly engine: LoadEngine },
): Promise<WrittenSegments> {
  const { paths, segments, columns, directory, prefix, limits } = task;
  const rows = segments.reduce((sum, segment) => sum + segment.rows, 0);
  const bytes = segments.reduce((sum, segment) => sum + segment.bytes, 0);
  const scan: FileScan = {
    kind: "parquet",
    paths,
    totalBytes: bytes,
    columns: columns.map(({ name, type }) => ({ name, sourceName: name, type, origin: "inferred" })),
    rowBytes: rows === 0 ? 0 : bytes / rows,
    badRows: { policy: "fail" },
    origins: [],
  };
  const written = await engine.writeSegments(scan, { signal, directory, prefix, limits });
  if (written.rows !== rows) throw new DriverError("INTERNAL", `${written.rows} rows were merged of ${rows}`);
  requireSameColumns(written.columns, columns);
  return written;
}
