import { isAbsolute } from "node:path";
import { DriverError } from "../../errors/driver-error.ts";
import type { ReadableVersion } from "../engine.ts";
import type { Expr } from "../plan.ts";
import { quoteIdentifier, quoteLiteral } from "./quoting.ts";
import { renderExpr } from "./render/expressions.ts";
import { Parameters } from "./render/parameters.ts";

/** The attached in-memory database of one version in memory, quoted. Detaching it frees its memory whole and at once. */
export function residentDatabase(table: string): string {
  return quoteIdentifier(`resident_${table}`);
}

/** The full name of a version's table in memory, quoted. */
export function residentTable(table: string): string {
  return `${residentDatabase(table)}."main"."rows"`;
}

/**
 * A version as an item of FROM, in parentheses and without an alias: its table in memory, else its segments, else (no
 * segments) a relation of its types without rows. Gives `columns` in that order, all when left out or empty.
 *
 * It is a subquery always, so that `rowid`, `filename` and the like, which differ between table and file and tell paths,
 * can't be seen from outside. DuckDB prunes the columns that aren't used. With `ordered` the rows come as they are stored.
 */
export function versionRelation(
  version: ReadableVersion,
  columns?: readonly string[],
  { ordered = false }: { readonly ordered?: boolean } = {},
): string {
  const { view } = version;
  const wanted = columns?.length ? columns : view?.columns.map(({ name }) => name);
  const names = wanted?.map(quoteIdentifier);
  const stored = storedRelation(version);
  if (view?.rows === undefined) return `(SELECT ${names?.join(", ") ?? "*"} FROM ${stored})`;
  return `(SELECT ${names?.map(copied).join(", ") ?? "*"} FROM ${stored}${ordered ? "" : UNORDERED}${onlyRows(view.rows)})`;
}

/**
 * The end of a SELECT that lets only these rows out, and nothing in: an engine may check conditions in the order that it likes,
 * but it can't take one below a LIMIT. So no error of an expression, such as a cast's, tells of a row that is not to be seen: DuckDB
 * 1.5 keeps to the order where it knows that an expression can fail, but doesn't know it of `SIMILAR TO`, `to_timestamp` and lambdas.
 * The LIMIT is one that streams. A materialized table expression takes up to 200 times as long (`LIMIT 100` of two million rows: 1 ms
 * and 227 ms), and an error of a row that is left out came through it.
 */
function onlyRows(condition: Expr): string {
  const sql = renderExpr(condition, { parameters: new Parameters({ inline: true }), column: quoteIdentifier });
  return ` WHERE ${sql} LIMIT ${MOST_ROWS}`;
}

/**
 * A column's values apart from those of rows that are left out. As they are stored they may come with a dictionary of all values around
 * them, and what DuckDB 1.5 takes for a function that can't fail (`SIMILAR TO`, `to_timestamp` and lambdas are among them) it computes of
 * the whole dictionary, so that an error quotes values of other rows, LIMIT or not. COALESCE copies the values, of any type and also of
 * what is nested in them, in no time that can be measured; `least` takes twice as long, and both need two arguments to be computed row by
 * row.
 */
function copied(name: string): string {
  return `coalesce(${name}, ${name}) AS ${name}`;
}

/**
 * One row out of a grouping, to be joined. DuckDB counts rows for a LIMIT on one thread to keep their order; after a join with what
 * has none it does so on all. Measured with 6 M rows, 2 threads, and how much longer than without the LIMIT, without and with this: sums
 * by group 1.9 and 1.1 times, all distinct texts 2.0 and 1.0, the ten highest 5.2 and 2.7.
 */
const UNORDERED = ', (SELECT DISTINCT 1 AS "drover one row")';

/** One less than the greatest number, which DuckDB takes for no limit. */
const MOST_ROWS = "9223372036854775806";

function storedRelation(version: ReadableVersion): string {
  if (version.residentTable !== undefined) return residentTable(version.residentTable);
  if (version.segmentPaths.length > 0) return segmentsRelation(version.segmentPaths);
  return emptyRelation(version);
}

/** Parquet segments as a table function call. */
export function segmentsRelation(paths: readonly string[]): string {
  const list = paths.map((path) => quoteLiteral(verbatimPath(path))).join(", ");
  return `read_parquet([${list}], hive_partitioning = false, union_by_name = false, filename = false, file_row_number = false)`;
}

function emptyRelation({ dataset, version, columns }: ReadableVersion): string {
  if (columns.length === 0)
    throw new DriverError("INTERNAL", `version ${version} of dataset ${dataset} has no columns`);
  const nulls = columns.map(({ name, type }) => `CAST(NULL AS ${type}) AS ${quoteIdentifier(name)}`);
  return `(SELECT ${nulls.join(", ")} LIMIT 0)`;
}

/**
 * A path that DuckDB takes as it stands. It takes an existing file's name literally and falls back to a pattern, which would
 * read other files when one is missing; a pattern's characters in brackets match themselves only. Its globbing can't match a
 * backslash by any escape, so such a path is left to the first rule.
 */
function verbatimPath(path: string): string {
  if (!isAbsolute(path)) throw new DriverError("INTERNAL", `the segment path ${path} is not absolute`);
  return path.includes("\\") ? path : path.replace(/[[*?]/g, "[$&]");
}
