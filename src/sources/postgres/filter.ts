import { DriverError } from "../../errors/driver-error.ts";
import { type FilterDialect, likePattern, renderFilter } from "../database/render-filter.ts";
import type { RowFilter } from "../row-filter.ts";
import type { PostgresConnection } from "./connection.ts";
import { sqlStateOf } from "./errors.ts";
import { quoteText } from "./quoting.ts";
import type { OpenRelation } from "./relation.ts";

const INTEGERS = ["int2", "int4", "int8"];

/** A filter as a condition over the relation's columns. Values are literals without a type, which take the column's. */
export function filterSql({ columns }: OpenRelation, filter: RowFilter): string {
  const byName = new Map(columns.map((column) => [column.name, column]));
  const dialect: FilterDialect = {
    columnNames: [...byName.keys()],
    column: (name) => byName.get(name)?.sql,
    value: (value, name) => {
      const text = String(value);
      // 2.5 is no integer, but can be compared with some.
      const isWider = INTEGERS.includes(byName.get(name)?.type.name ?? "") && !/^\s*[+-]?\d{1,18}\s*$/.test(text);
      return isWider ? `${quoteText(text)}::numeric` : quoteText(text);
    },
    textMatch: (match, column) => {
      const pattern = quoteText(likePattern(match));
      const fold = (sql: string) => (match.ignoreCase ? `pg_catalog.lower(${sql})` : sql);
      // LIKE takes no collation that calls different texts equal.
      return `${fold(`${column}::text`)} COLLATE "C" LIKE ${fold(pattern)}`;
    },
  };
  return renderFilter(filter, dialect);
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
