import { DriverError } from "../../errors/driver-error.ts";
import { type FilterDialect, likePattern, renderFilter } from "../database/render-filter.ts";
import type { RowFilter } from "../row-filter.ts";
import { declaredSql, exactText } from "./columns.ts";
import type { PostgresConnection } from "./connection.ts";
import { sqlStateOf } from "./errors.ts";
import { quoteName, quoteText } from "./quoting.ts";
import type { OpenRelation } from "./relation.ts";
import { castTarget } from "./types.ts";

/** So many digits are a value of the type, whichever they are. */
const INTEGER_DIGITS: Readonly<Record<string, number>> = { int2: 4, int4: 9, int8: 18 };
const TEXTS = /^(text|varchar|bpchar|name)$|(^|\.)citext$/;
const OFFSET = /\d[T ]\s*\d\d?:?\d\d.*?(Z|[+-]\d\d?(:?\d\d)*|[a-z/_]{3,})\s*$/i;

/**
 * A filter as a condition over the relation's columns, which means what it means for the loaded dataset: columns are of the
 * types that were declared, and texts differ by each character, whatever their collation makes equal. Values are literals
 * without a type, which take the column's.
 */
export function filterSql(
  { columns }: OpenRelation,
  filter: RowFilter,
  declared: Readonly<Record<string, string>> = {},
  folding = DEFAULT_FOLDING,
): string {
  const byName = new Map(columns.map((column) => [column.name, column]));
  const isDeclared = (name: string) => Object.hasOwn(declared, name);
  const typeName = (name: string) =>
    isDeclared(name) ? castTarget(declared[name] ?? "") : (byName.get(name)?.type.name ?? "");
  const dialect: FilterDialect = {
    columnNames: [...byName.keys()],
    column: (name) => {
      const column = byName.get(name);
      if (column === undefined) return undefined;
      if (isDeclared(name) && typeName(name) !== "text") return `(${declaredSql(declared[name] ?? "", column)})`;
      return TEXTS.test(typeName(name)) ? `(${exactText(column)} COLLATE "C")` : column.sql;
    },
    loose: (name) => (!isDeclared(name) && TEXTS.test(typeName(name)) ? byName.get(name)?.sql : undefined),
    value: (value, name) => {
      const text = String(value);
      const type = typeName(name);
      if ((type === "timestamp" || type === "date") && OFFSET.test(text))
        throw new DriverError(
          "INVALID_FILTER",
          `the filter compares ${JSON.stringify(name)} with ${JSON.stringify(value)}: the column takes dates or times without an offset`,
          { metadata: { column: name } },
        );
      // 2.5 is no integer, but can be compared with some.
      const digits = INTEGER_DIGITS[type];
      const isWider = digits !== undefined && !new RegExp(`^\\s*[+-]?\\d{1,${digits}}\\s*$`).test(text);
      return isWider ? `${quoteText(text)}::numeric` : quoteText(text);
    },
    textMatch: (match) => {
      const column = byName.get(match.column);
      const text = column === undefined ? "NULL" : exactText(column);
      const pattern = quoteText(likePattern(match));
      const fold = (sql: string) =>
        match.ignoreCase ? `pg_catalog.lower(${sql} COLLATE pg_catalog.${quoteName(folding)})` : sql;
      // LIKE takes no collation that calls different texts equal.
      return `${fold(text)} COLLATE "C" LIKE ${fold(pattern)} COLLATE "C"`;
    },
  };
  return renderFilter(filter, dialect);
}

const DEFAULT_FOLDING = "default";

/** The collation that knows small letters beyond a to z: the database's own, unless that is C. */
export async function foldingFor(connection: PostgresConnection, filter: RowFilter): Promise<string> {
  if (!ignoresCase(filter)) return DEFAULT_FOLDING;
  const [row] = await connection.run(
    `SELECT collname FROM pg_catalog.pg_collation
     WHERE collname = 'und-x-icu' AND pg_catalog.lower('Ä' COLLATE pg_catalog."default") <> 'ä'
       AND collencoding IN (-1, pg_catalog.pg_char_to_encoding(pg_catalog.getdatabaseencoding()))`,
  );
  return row?.[0] ?? DEFAULT_FOLDING;
}

function ignoresCase(filter: RowFilter): boolean {
  if (filter.kind === "all" || filter.kind === "any") return filter.filters.some(ignoresCase);
  return filter.kind === "not" ? ignoresCase(filter.filter) : filter.kind === "text" && filter.ignoreCase;
}

/** Has the server check the condition. Throws INVALID_FILTER with its own words for values and types that do not fit. */
export async function requireFilter(connection: PostgresConnection, from: string, condition: string): Promise<void> {
  try {
    await connection.describe(`SELECT 1 FROM ${from} WHERE ${condition}`);
  } catch (error) {
    const cause = error instanceof DriverError ? error.cause : undefined;
    const state = sqlStateOf(cause);
    if (!(error instanceof DriverError) || state === undefined || !/^(22|42)/.test(state)) throw error;
    throw new DriverError("INVALID_FILTER", error.message, { metadata: error.metadata, cause: error });
  }
}
