import type { CsvScanOptions, FileScan, ScanColumn } from "../../file-scan.ts";
import { columnsOf } from "../../plan-columns.ts";
import type { RecordSyntax } from "../../text/record-lines.ts";
import { MAX_ROW_BYTES } from "../../text/row-limit.ts";
import { quoteIdentifier, quoteLiteral } from "../quoting.ts";
import { type ColumnSql, columnSql, decoded, isLongDecimal, longDecimal, type TextFormats } from "./column-sql.ts";
import { filterSql, limitSql } from "./rows-sql.ts";

export type KnownScan = FileScan & { readonly columns: readonly ScanColumn[] };

/** How a statement over the files treats rows that can't be split into columns. */
export interface ReadMode {
  /** Skips them and notes them in this pair of temporary tables. */
  readonly rejects?: { readonly errors: string; readonly scans: string; readonly limit: number };
  /** Reads one file in its own order, on one thread. */
  readonly ordered?: string;
  /** On one thread, where two would need more memory than there is. */
  readonly singleThread?: boolean;
  /** Columns that the reader itself converts, by index: their text is checked elsewhere. */
  readonly native?: ReadonlySet<number>;
}

/** Those of DuckDB are 16 times as long as a row may be, unless told otherwise. */
const BUFFER_BYTES = 16 * 1024 * 1024;

/** What a column of a row group takes while one thread writes it (2,000 columns: 300 MB on one thread, 600 MB on two). */
const COLUMN_BYTES = 128 * 1024;

/** Whether two threads at once would exceed the memory; DuckDB then spills and reads back until it fails or for minutes. */
export function needsSingleThread(scan: KnownScan, memoryLimitBytes: number): boolean {
  return 2 * keptColumns(scan).length * COLUMN_BYTES > memoryLimitBytes;
}

export const textName = (index: number): string => `c${index}`;
export const valueName = (index: number): string => `v${index}`;

/** `read_csv(…)` with every column as text under the names c0, c1, …; nothing is left to be detected. */
export function readCsvSql(scan: KnownScan, mode: ReadMode = {}): string {
  if (scan.paths.length === 0) return noRows(scan);
  const widths = scan.csv?.widths;
  if (widths === undefined) return readFilesSql(scan, mode.ordered === undefined ? scan.paths : [mode.ordered], mode);
  // Written by the driver: nothing in them can be rejected by the reader, and nothing has to be noted.
  const { rejects: _, ...plain } = mode;
  const groups = Map.groupBy(scan.paths, (path) => widths[scan.paths.indexOf(path)] ?? scan.columns.length);
  const parts = [...groups].flatMap(([width, paths]) => {
    const wanted = mode.ordered === undefined ? paths : paths.filter((path) => path === mode.ordered);
    return wanted.length === 0 ? [] : [readWidthSql(scan, width, wanted, plain)];
  });
  return parts.length === 1 ? (parts[0] ?? "") : `(${parts.join(" UNION ALL ")})`;
}

/** The columns of files that have more or fewer of them. */
function readWidthSql(scan: KnownScan, width: number, paths: readonly string[], mode: ReadMode): string {
  const spare = { name: "", sourceName: "", type: "VARCHAR", origin: "exact" } as const;
  const columns = Array.from({ length: width }, (_, index) => scan.columns[index] ?? spare);
  const outputs = scan.columns.map((column, index) =>
    index < width ? textName(index) : `CAST(NULL AS ${readerType(column, index, mode)}) AS ${textName(index)}`,
  );
  return `(SELECT ${outputs.join(", ")} FROM ${readFilesSql({ ...scan, columns }, paths, mode)})`;
}

function readFilesSql(scan: KnownScan, paths: readonly string[], mode: ReadMode): string {
  const csv: CsvScanOptions = scan.csv ?? {};
  const nulls = ["", ...(csv.nullStrings ?? [])];
  const options = [
    "auto_detect=false",
    `delim=${quoteLiteral(csv.delimiter ?? ",")}`,
    `quote=${quoteLiteral(csv.quote ?? '"')}`,
    `escape=${quoteLiteral(csv.escape ?? csv.quote ?? '"')}`,
    `header=${csv.header ?? true}`,
    `skip=${csv.skipLines ?? 0}`,
    `comment=${quoteLiteral(csv.comment ?? "")}`,
    `new_line=${quoteLiteral(NEWLINES[csv.newline ?? "\n"])}`,
    `nullstr=[${[...new Set(nulls)].map(quoteLiteral).join(", ")}]`,
    `allow_quoted_nulls=${csv.quotedNulls ?? true}`,
    `columns={${scan.columns.map((column, index) => `'${textName(index)}': ${quoteLiteral(readerType(column, index, mode))}`).join(", ")}}`,
    "hive_partitioning=false",
    `max_line_size=${MAX_ROW_BYTES}`,
    `buffer_size=${BUFFER_BYTES}`,
  ];
  if (mode.ordered !== undefined || mode.singleThread) options.push("parallel=false");
  if (mode.rejects)
    options.push(
      "store_rejects=true",
      `rejects_table=${quoteLiteral(mode.rejects.errors)}`,
      `rejects_scan=${quoteLiteral(mode.rejects.scans)}`,
      `rejects_limit=${mode.rejects.limit}`,
    );
  const read = `read_csv([${paths.map(quoteLiteral).join(", ")}], ${options.join(", ")})`;
  return mode.rejects ? readingAll(read, scan) : read;
}

function noRows({ columns }: KnownScan): string {
  const nulls = columns.map((column, index) => `CAST(NULL AS ${readerType(column, index, {})}) AS ${textName(index)}`);
  return `(SELECT ${nulls.join(", ")} WHERE false)`;
}

/** The type that the reader itself gives a column. */
function readerType({ type, origin, encoding }: ScanColumn, index: number, mode: ReadMode): string {
  const reads = mode.native?.has(index) || (origin === "exact" && encoding === undefined && !isLongDecimal(type));
  return reads ? type : "VARCHAR";
}

/**
 * Every statement that notes rejected rows must read every column: a column that is left out is not checked, so another
 * statement would count other rows (and DuckDB 1.5 breaks down on invalid UTF-8 in a column that is not the first read).
 */
function readingAll(read: string, scan: KnownScan): string {
  const names = scan.columns.map((_, index) => textName(index)).join(", ");
  return `(SELECT * FROM ${read} WHERE hash(${names}) IS NOT NULL)`;
}

const NEWLINES = { "\n": "\\n", "\r\n": "\\r\\n", "\r": "\\r" } as const;

/** What is needed to find a record's line in a file. */
export function recordSyntax(scan: KnownScan): RecordSyntax {
  const quote = scan.csv?.quote ?? '"';
  return {
    delimiter: scan.csv?.delimiter ?? ",",
    quote,
    escape: scan.csv?.escape ?? quote,
    comment: scan.csv?.comment ?? "",
    skipLines: scan.csv?.skipLines ?? 0,
    header: scan.csv?.header ?? true,
    blankIsRecord: scan.columns.length === 1,
  };
}

export function textFormats(scan: KnownScan): TextFormats {
  return {
    decimalSeparator: scan.csv?.decimalSeparator ?? ".",
    dateFormat: scan.csv?.dateFormat,
    timestampFormat: scan.csv?.timestampFormat,
  };
}

/** The typed columns with their place and SQL. */
export function typedColumns(
  scan: KnownScan,
  attempt: boolean,
): readonly (ColumnSql & { column: ScanColumn; index: number })[] {
  const formats = textFormats(scan);
  const needed = new Set(neededColumns(scan).map(({ index }) => index));
  return scan.columns.flatMap((column, index) => {
    if (!needed.has(index)) return [];
    const sql = columnSql(column, textName(index), valueName(index), formats, attempt);
    return sql ? [{ ...sql, column, index }] : [];
  });
}

/** The columns that the dataset will have, in its order. */
export function keptColumns(scan: KnownScan): readonly { column: ScanColumn; index: number }[] {
  const all = scan.columns.map((column, index) => ({ column, index }));
  if (!scan.keep) return all;
  const byName = new Map(all.map((entry) => [entry.column.name, entry]));
  return scan.keep.flatMap((name) => byName.get(name) ?? []);
}

/** The columns that must be read: those of the dataset, and those of the filter. */
export function neededColumns(scan: KnownScan): readonly { column: ScanColumn; index: number }[] {
  const kept = keptColumns(scan);
  if (!scan.filter) return kept;
  const filtered = columnsOf(scan.filter);
  const names = new Set(kept.map(({ column }) => column.name));
  const more = scan.columns.flatMap((column, index) =>
    filtered.has(column.name) && !names.has(column.name) ? [{ column, index }] : [],
  );
  return [...kept, ...more];
}

/** A scan that reads its exact columns as the texts that they are, with what makes values of them. */
export function exactTexts(scan: KnownScan): {
  readonly texts: KnownScan;
  readonly values: readonly { readonly column: ScanColumn; readonly text: string; readonly value: string }[];
} {
  const columns = scan.columns.map((column): ScanColumn => {
    const { encoding: _, ...plain } = column;
    return column.origin === "exact" ? { ...plain, type: "VARCHAR" } : column;
  });
  const values = neededColumns(scan).flatMap(({ column, index }) => {
    if (column.origin !== "exact") return [];
    const text = textName(index);
    const own = plainValue(column, text);
    return [{ column, text, value: own === text ? `CAST(${text} AS ${column.type})` : own }];
  });
  return { texts: { ...scan, columns }, values };
}

/** The marker by which a contradicted type is told from other errors of a statement. */
export const CONTRADICTION = "drover: a value does not fit its column";

/**
 * The SELECT that a load writes. The check stands in a filter of its own above the casts: `error()` keeps DuckDB from
 * merging the two (it would cast twice) and the filter passes whole vectors on.
 */
export function loadSelect(scan: KnownScan, mode: ReadMode & { readonly skipBadRows: boolean }): string {
  const strict = typedColumns(scan, false).filter(
    ({ column, index }) => column.origin === "inferred" && !mode.native?.has(index),
  );
  const declared = typedColumns(scan, true).filter(({ column }) => column.origin === "declared");
  const typed = new Map([...strict, ...declared].map((entry) => [entry.index, entry]));
  const needed = neededColumns(scan);
  const values = new Map(
    needed.map(({ column, index }) => [
      column.name,
      typed.has(index) ? (typed.get(index)?.output ?? valueName(index)) : plainValue(column, textName(index)),
    ]),
  );
  const outputs = keptColumns(scan).map(
    ({ column: { name } }) => `${values.get(name) ?? "NULL"} AS ${quoteIdentifier(name)}`,
  );
  const wanted = filterSql(scan, (name) => values.get(name) ?? "NULL");
  const inner = needed.flatMap(({ index }) => {
    const entry = typed.get(index);
    return entry ? [textName(index), `${entry.value} AS ${valueName(index)}`] : [textName(index)];
  });
  const from =
    typed.size === 0 ? readCsvSql(scan, mode) : `(SELECT ${inner.join(", ")} FROM ${readCsvSql(scan, mode)})`;
  return `SELECT ${outputs.join(", ")} FROM ${from}${filter(strict, declared, mode.skipBadRows, wanted)}${limitSql(scan)}`;
}

/** The value of a column's text where nothing of it is to be checked. */
function plainValue(column: ScanColumn, text: string): string {
  const { type, origin } = column;
  return origin === "exact" && isLongDecimal(type) ? longDecimal(column, text) : decoded(column, text, false);
}

/** `wanted` stands in the same CASE, after the checks: it must not drop a row by a value that does not fit. */
function filter(
  strict: readonly ColumnSql[],
  declared: readonly ColumnSql[],
  skip: boolean,
  wanted: string | undefined,
): string {
  const any = (columns: readonly ColumnSql[], key: "suspect" | "violation") =>
    columns.map((column) => `(${column[key]})`).join(" OR ");
  const branches: string[] = [];
  if (declared.length > 0 && skip) branches.push(`WHEN ${any(declared, "violation")} THEN false`);
  const fatal = skip ? strict : [...strict, ...declared];
  // The exact check stands in a CASE of its own: DuckDB reorders AND and OR by trial, and would try it on all rows.
  const exact = fatal.map((column) => `((${column.suspect}) AND ${column.violation})`).join(" OR ");
  if (fatal.length > 0)
    branches.push(
      `WHEN ${any(fatal, "suspect")} THEN (CASE WHEN ${exact} THEN error(${quoteLiteral(CONTRADICTION)}) ELSE ${wanted ?? "true"} END)`,
    );
  if (branches.length > 0) return ` WHERE CASE ${branches.join(" ")} ELSE ${wanted ?? "true"} END`;
  return wanted === undefined ? "" : ` WHERE ${wanted}`;
}
