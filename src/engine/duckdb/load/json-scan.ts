import type { FileScan, ScanColumn } from "../../file-scan.ts";
import { quoteIdentifier, quoteLiteral } from "../quoting.ts";
import { type ColumnSql, columnSql, type TextFormats } from "./column-sql.ts";
import { type KnownScan, keptColumns, neededColumns, textName, valueName } from "./csv-scan.ts";
import { hasClash } from "./json-structure.ts";
import { filterSql, limitSql } from "./rows-sql.ts";

const MAX_OBJECT_BYTES = 16 * 1024 * 1024;

/** How records stand in a file, as the engine says it. */
export type Layout = "array" | "newline_delimited" | "unstructured";

/** Types that `read_json` converts without loss once the structure of the whole file is known; others are read as text. */
const NATIVE = /^(BIGINT|UBIGINT|DOUBLE|BOOLEAN|STRUCT|.*\[\])/;

export function layoutIn(scan: FileScan): Layout {
  const layout = scan.json?.layout ?? "newline";
  return layout === "array" ? "array" : layout === "newline" ? "newline_delimited" : "unstructured";
}

export function objectsSql(paths: readonly string[], layout: Layout, ignoreErrors: boolean): string {
  const ignore = ignoreErrors && layout === "newline_delimited" ? ", ignore_errors=true" : "";
  return `read_json_objects([${paths.map(quoteLiteral).join(", ")}], format='${layout}', maximum_object_size=${MAX_OBJECT_BYTES}${ignore})`;
}

/** The records as columns c0, c1, …, of their own types where those lose nothing, of text elsewhere. */
export function sourceSql(scan: KnownScan): string {
  const layout = layoutIn(scan);
  const skip = scan.badRows.policy === "skip";
  const keys = scan.columns.map(({ sourceName }) => sourceName);
  const readType = (column: ScanColumn) =>
    column.origin === "inferred" && NATIVE.test(column.type) ? column.type : "VARCHAR";
  // With ignore_errors a malformed line becomes a row of NULLs: `json` tells it from an object without keys.
  if (skip || hasClash(keys)) {
    const columns = scan.columns.map((column, index) => {
      const value = `fields[${quoteLiteral(column.sourceName)}]`;
      const type = readType(column);
      return `${type === "VARCHAR" ? `(${value} ->> '$')` : `CAST(${value} AS ${type})`} AS ${textName(index)}`;
    });
    return `(SELECT json IS NOT NULL AS whole, ${columns.join(", ")} FROM
      (SELECT json, from_json(json, '"MAP(VARCHAR,JSON)"') AS fields FROM ${objectsSql(scan.paths, layout, skip)}))`;
  }
  const types = scan.columns.map((column) => `${quoteLiteral(column.sourceName)}: ${quoteLiteral(readType(column))}`);
  const names = scan.columns.map(({ sourceName }, index) => `${quoteIdentifier(sourceName)} AS ${textName(index)}`);
  const files = scan.paths.map(quoteLiteral).join(", ");
  return `(SELECT true AS whole, ${names.join(", ")} FROM read_json([${files}], format='${layout}', records=true,
    auto_detect=false, maximum_object_size=${MAX_OBJECT_BYTES}, hive_partitioning=false, columns={${types.join(", ")}}))`;
}

/** The SELECT of the good rows, and what it is made of. */
export function jsonSelect(scan: KnownScan): {
  readonly select: string;
  readonly from: string;
  readonly bad: string;
  readonly typed: Typed;
} {
  const kept = keptColumns(scan);
  const typed = textual(scan);
  const from = `(SELECT whole, ${neededColumns(scan)
    .map(({ index }) => withValue(index, typed))
    .join(", ")} FROM ${sourceSql(scan)})`;
  const outputs = kept.map(({ column, index }) => `${storedValue(index, typed)} AS ${quoteIdentifier(column.name)}`);
  const values = new Map(neededColumns(scan).map(({ column, index }) => [column.name, storedValue(index, typed)]));
  const wanted = filterSql(scan, (name) => values.get(name) ?? "NULL");
  const broken = [...typed.values()].map(({ violation }) => violation);
  const bad = `(${["NOT whole", ...broken].join(" OR ")}) IS TRUE`;
  const where = `WHERE NOT ${bad}${wanted === undefined ? "" : ` AND ${wanted}`}${limitSql(scan)}`;
  return { select: `SELECT ${outputs.join(", ")} FROM ${from} ${where}`, from, bad, typed };
}

/** The columns whose texts are made values of in SQL, by index. */
export type Typed = ReadonlyMap<number, ColumnSql & { readonly column: ScanColumn }>;

function textual(scan: KnownScan): Typed {
  const formats: TextFormats = {
    decimalSeparator: ".",
    dateFormat: scan.json?.dateFormat,
    timestampFormat: scan.json?.timestampFormat,
  };
  return new Map(
    neededColumns(scan).flatMap(({ column, index }) => {
      if (column.origin === "inferred" && NATIVE.test(column.type) && column.type !== "BIGINT") return [];
      const sql = columnSql(column, textName(index), valueName(index), formats, true);
      if (!sql || (column.origin === "inferred" && NATIVE.test(column.type))) return [];
      return [[index, { column, ...sql }] as const];
    }),
  );
}

function storedValue(index: number, typed: Typed): string {
  const entry = typed.get(index);
  return entry ? (entry.output ?? valueName(index)) : textName(index);
}

function withValue(index: number, typed: Typed): string {
  const entry = typed.get(index);
  return entry ? `${textName(index)}, ${entry.value} AS ${valueName(index)}` : textName(index);
}
