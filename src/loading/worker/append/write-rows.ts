import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { asStorageError } from "../../../datasets/files.ts";
import type { LoadEngine } from "../../../engine/engine.ts";
import type { FileScan, ScanColumn, WrittenSegments } from "../../../engine/file-scan.ts";
import type { Column } from "../../../engine/types.ts";
import { DriverError } from "../../../errors/driver-error.ts";
import { exchangeCsv } from "../../../sources/exchange/dialect.ts";
import { type EncodedRows, encodeJsonRows } from "./json-rows.ts";
import type { WriteRows } from "./protocol.ts";
import { misfit } from "./row-error.ts";
import { type RowColumn, rowColumn } from "./row-shape.ts";

interface WorkOptions {
  readonly signal: AbortSignal;
  readonly engine: LoadEngine;
}

/** Writes rows that clients sent as segments, each value as its column takes it: what does not fit is an error. */
export async function writeRows(task: WriteRows, { signal, engine }: WorkOptions): Promise<WrittenSegments> {
  const { directory, prefix, limits, columns, firstRow } = task;
  const shape = columns.map(rowColumn);
  const encoded = await encode(task, await readFile(task.path, { signal }), shape);
  // Not with the prefix: what begins with it goes when a try fails.
  const path = join(directory, `text-${prefix}.csv`);
  const write = (sure: readonly boolean[]) => {
    const scan = scanOf(shape, path, encoded, sure);
    return engine.writeSegments(scan, { signal, directory, prefix, limits });
  };
  try {
    await writeFile(path, encoded.text, { signal, mode: 0o600 });
    const written = await write(encoded.sure).catch((error: unknown) => {
      signal.throwIfAborted();
      // Where a value is too large for its column, the checks say which one.
      if (!encoded.sure.includes(true)) throw error;
      return write([]);
    });
    if (written.rows !== encoded.rows)
      throw new DriverError("INTERNAL", `${written.rows} rows were written of ${encoded.rows}`);
    requireSameColumns(written.columns, columns);
    return { ...written, sourceBytes: encoded.text.length };
  } catch (error) {
    signal.throwIfAborted();
    throw placed(error, path, firstRow);
  } finally {
    await rm(path, { force: true });
  }
}

async function encode(
  { format, names, firstRow }: WriteRows,
  input: Buffer,
  columns: readonly RowColumn[],
): Promise<EncodedRows> {
  if (format === "json") return encodeJsonRows(input, { columns, names, firstRow });
  const { encodeArrowRows } = await import("./arrow-rows.ts");
  return encodeArrowRows(input, { columns, firstRow });
}

/** Columns whose texts are all sure are cast as they are read; a check of what needs none takes longer than the rest. */
function scanOf(
  columns: readonly RowColumn[],
  path: string,
  { text, rows }: EncodedRows,
  sure: readonly boolean[],
): FileScan {
  return {
    kind: "csv",
    paths: rows === 0 ? [] : [path],
    totalBytes: text.length,
    csv: exchangeCsv,
    columns: columns.map(
      ({ name, type, encoding }, at): ScanColumn => ({
        ...{ name, sourceName: name, type, origin: sure[at] ? "exact" : "declared" },
        ...(encoding && { encoding }),
      }),
    ),
    rowBytes: rows === 0 ? 0 : text.length / rows,
    badRows: { policy: "fail" },
    origins: [],
  };
}

/** Says the row rather than the line of a text that nobody has seen. */
function placed(thrown: unknown, path: string, firstRow: number): DriverError {
  const error = DriverError.from(asStorageError(thrown));
  const { record, column, value, type } = error.metadata;
  if (error.reason === "LOAD_TYPE_MISMATCH" && record !== undefined)
    return misfit(firstRow + Number(record) - 1, { name: column ?? "", type: type ?? "" }, value ?? "");
  if (!error.message.includes(path)) return error;
  return new DriverError(error.reason, error.message.replaceAll(path, "the rows"), { cause: error });
}

/** All segments of a version are read with one list of columns. */
export function requireSameColumns(found: readonly Column[], wanted: readonly Column[]): void {
  const text = (columns: readonly Column[]) => columns.map(({ name, type }) => `${name} ${type}`).join(", ");
  if (text(found) === text(wanted)) return;
  throw new DriverError("INTERNAL", `segments came out as (${text(found)}) instead of (${text(wanted)})`);
}
