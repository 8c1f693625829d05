import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { DuckDBType } from "@duckdb/node-api";
import type { Preview, PreviewOptions } from "../../engine.ts";
import type { CsvScanOptions, FileScan } from "../../file-scan.ts";
import type { JsonValue } from "../../types.ts";
import type { Connection } from "../connection.ts";
import { sliceRows } from "../results/slice.ts";
import { columnFromType } from "../types/columns.ts";
import { layoutOf } from "../vectors/layout.ts";
import { readChunk } from "../vectors/read-vector.ts";
import { type KnownScan, loadSelect } from "./csv-scan.ts";
import { csvBeginning } from "./csv-sniff.ts";
import { engineError } from "./engine-error.ts";
import { jsonSelect } from "./json-scan.ts";
import { parquetBeginning } from "./parquet-load.ts";

/** Rows with long values: what comes after so much JSON is left out. */
const MAX_PREVIEW_BYTES = 1024 * 1024;

/** The first rows of a scan whose columns are known, and what was found where `asked` left it open. */
export async function previewScan(
  connection: Connection,
  asked: FileScan,
  scan: KnownScan,
  options: PreviewOptions,
): Promise<Omit<Preview, "warnings">> {
  const { signal, rows: limit } = options;
  const { select, complete } = await beginningOf(asked, scan, options);
  try {
    // One more row tells whether there are more.
    const result = await connection.run(`SELECT * FROM (${select}) LIMIT ${limit + 1}`, [], { signal });
    const types = result.columnTypes();
    const columns = result.columnNames().map((name, index) => columnFromType(name, types[index] as DuckDBType));
    const layouts = types.map(layoutOf);
    const rows: JsonValue[][] = [];
    for (const chunk of await result.fetchAllChunks())
      rows.push(...sliceRows({ columns: readChunk(chunk.chunk, layouts), from: 0, to: chunk.rowCount }, types));
    const shown = bounded(rows.slice(0, limit));
    return {
      columns,
      rows: shown,
      options: { ...asked.foundOptions, ...foundOptions(asked, scan) },
      complete: complete && shown.length === rows.length,
    };
  } catch (error) {
    signal.throwIfAborted();
    throw engineError(error, scan);
  }
}

/**
 * Delimited text is read by the sniffer, of which only whole records come, and the engine types them: the reader would look at much more
 * than the first rows, and stumble where a beginning is cut off.
 */
async function beginningOf(
  asked: FileScan,
  scan: KnownScan,
  { signal, rows, directory }: PreviewOptions,
): Promise<{ readonly select: string; readonly complete: boolean }> {
  const whole = !scan.cut;
  if (scan.kind === "parquet") return { select: parquetBeginning(scan, rows + 1), complete: scan.paths.length <= 1 };
  if (scan.kind === "json") return { select: jsonSelect(scan).select, complete: whole };
  if (asked.columns !== undefined) return { select: loadSelect(scan, { skipBadRows: true }), complete: whole };
  const beginning = await csvBeginning(scan, rows + 1, signal);
  const path = join(directory, "beginning-rows.csv");
  await writeFile(path, recordsText(beginning.rows, scan), { mode: 0o600 });
  const copied = { ...scan, paths: [path], csv: copiedCsv(scan.csv ?? {}) };
  return { select: loadSelect(copied, { skipBadRows: true }), complete: beginning.complete };
}

/** Records as CSV of one dialect, whatever theirs was. Rows that are too short or too long are made to fit. */
function recordsText(rows: readonly (readonly string[])[], { columns, csv }: KnownScan): string {
  const nulls = new Set(["", ...(csv?.nullStrings ?? [])]);
  const field = (value = "") => (nulls.has(value) ? "" : `"${value.replaceAll('"', '""')}"`);
  return rows.map((row) => `${columns.map((_, index) => field(row[index])).join(",")}\n`).join("");
}

function copiedCsv({ dateFormat, timestampFormat, decimalSeparator }: CsvScanOptions): CsvScanOptions {
  return {
    ...{ delimiter: ",", quote: '"', escape: '"', header: false, newline: "\n", quotedNulls: false },
    ...(dateFormat !== undefined && { dateFormat }),
    ...(timestampFormat !== undefined && { timestampFormat }),
    ...(decimalSeparator !== undefined && { decimalSeparator }),
  };
}

function foundOptions(asked: FileScan, scan: KnownScan): Preview["options"] {
  if (scan.kind === "json") {
    const layout = scan.json?.layout;
    return asked.json?.layout === "auto" && layout !== undefined ? { layout } : {};
  }
  if (scan.kind !== "csv" || asked.columns !== undefined) return {};
  const { delimiter, header, quote, escape: escapeCharacter } = scan.csv ?? {};
  const given = asked.csv ?? {};
  return {
    ...(delimiter !== undefined && given.delimiter === undefined && { delimiter }),
    ...(header !== undefined && given.header === undefined && { header }),
    ...(escapeCharacter !== undefined &&
      escapeCharacter !== quote &&
      given.escape === undefined && { escape: escapeCharacter }),
  };
}

function bounded(rows: readonly JsonValue[][]): readonly JsonValue[][] {
  let bytes = 0;
  const end = rows.findIndex((row) => {
    bytes += JSON.stringify(row).length;
    return bytes > MAX_PREVIEW_BYTES;
  });
  // One row at least.
  return end < 0 ? rows : rows.slice(0, Math.max(1, end));
}
