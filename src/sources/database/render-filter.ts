import { suggest } from "../../config/suggest.ts";
import { DriverError } from "../../errors/driver-error.ts";
import type { FilterValue, RowFilter } from "../row-filter.ts";

/** What one database's SQL needs to express a filter. Values come out bound or safely quoted. */
export interface FilterDialect {
  /** The SQL of a column; undefined where there is none of this name. */
  column(name: string): string | undefined;
  /** The names that there are, for suggestions. */
  readonly columnNames: readonly string[];
  /**
   * The SQL of a column that is NULL where it is and by which equal values may be found sooner, as an index has them; it may
   * call more of them equal. Left out where there is none.
   */
  loose?(name: string): string | undefined;
  /** A value, other than NULL, as the column's type. */
  value(value: string | number | boolean, column: string): string;
  /** SQL that is true where the column's text matches. */
  textMatch(match: Extract<RowFilter, { readonly kind: "text" }>, column: string): string;
}

const COMPARISONS = {
  equal: "=",
  notEqual: "<>",
  less: "<",
  lessOrEqual: "<=",
  greater: ">",
  greaterOrEqual: ">=",
} as const;

/** A filter as a condition in a dialect's SQL, in brackets. Throws UNKNOWN_COLUMN, INVALID_FILTER. */
export function renderFilter(filter: RowFilter, dialect: FilterDialect): string {
  switch (filter.kind) {
    case "all":
      return joined(filter.filters, " AND ", "(1 = 1)", dialect);
    case "any":
      return joined(filter.filters, " OR ", "(1 = 0)", dialect);
    case "not":
      return `(NOT ${renderFilter(filter.filter, dialect)})`;
    case "compare": {
      const column = columnSql(filter.column, dialect);
      const by = `${COMPARISONS[filter.op]} ${valueSql(filter.value, filter.column, dialect)}`;
      return filter.op === "equal" ? alike(filter.column, by, dialect) : `(${column} ${by})`;
    }
    case "in":
      return membership(filter, dialect);
    case "range":
      return range(filter, dialect);
    case "isNull":
      return `(${looseSql(filter.column, dialect)} IS NULL)`;
    case "text":
      columnSql(filter.column, dialect);
      refuseNul(filter.text, filter.column);
      return `(${dialect.textMatch(filter, columnSql(filter.column, dialect))})`;
  }
}

function joined(filters: readonly RowFilter[], by: string, empty: string, dialect: FilterDialect): string {
  return filters.length === 0 ? empty : `(${filters.map((each) => renderFilter(each, dialect)).join(by)})`;
}

function membership(filter: Extract<RowFilter, { readonly kind: "in" }>, dialect: FilterDialect): string {
  const column = looseSql(filter.column, dialect);
  const values = filter.values.filter((value) => value !== null);
  const listed = values.map((value) => valueSql(value, filter.column, dialect)).join(", ");
  const isNull = filter.values.length > values.length ? `${column} IS NULL` : undefined;
  const isListed = listed === "" ? undefined : alike(filter.column, `IN (${listed})`, dialect);
  return `(${[isListed, isNull].filter((part) => part !== undefined).join(" OR ") || "1 = 0"})`;
}

/** A column that equals what `by` says, found by what an index has and then told apart by what is exact. */
function alike(name: string, by: string, dialect: FilterDialect): string {
  const exact = `${columnSql(name, dialect)} ${by}`;
  const loose = dialect.loose?.(name);
  return loose === undefined ? `(${exact})` : `(${loose} ${by} AND ${exact})`;
}

function looseSql(name: string, dialect: FilterDialect): string {
  const exact = columnSql(name, dialect);
  return dialect.loose?.(name) ?? exact;
}

function range(filter: Extract<RowFilter, { readonly kind: "range" }>, dialect: FilterDialect): string {
  const column = columnSql(filter.column, dialect);
  const { from, to, fromExclusive, toExclusive } = filter;
  const parts = [
    ...(from === undefined
      ? []
      : [`${column} ${fromExclusive ? ">" : ">="} ${valueSql(from, filter.column, dialect)}`]),
    ...(to === undefined ? [] : [`${column} ${toExclusive ? "<" : "<="} ${valueSql(to, filter.column, dialect)}`]),
  ];
  return parts.length === 0 ? `(${column} IS NOT NULL)` : `(${parts.join(" AND ")})`;
}

function columnSql(name: string, dialect: FilterDialect): string {
  const sql = dialect.column(name);
  if (sql !== undefined) return sql;
  throw new DriverError(
    "UNKNOWN_COLUMN",
    `the filter names ${JSON.stringify(name)}, which the source does not have${suggest(name, dialect.columnNames)}`,
    { metadata: { column: name } },
  );
}

function valueSql(value: FilterValue, column: string, dialect: FilterDialect): string {
  if (value === null)
    throw new DriverError("INVALID_FILTER", `the filter compares ${JSON.stringify(column)} with null: use isNull`, {
      metadata: { column },
    });
  if (typeof value === "string") refuseNul(value, column);
  return dialect.value(value, column);
}

function refuseNul(text: string, column: string): void {
  if (!text.includes("\0")) return;
  throw new DriverError("INVALID_FILTER", `the filter on ${JSON.stringify(column)} holds the character U+0000`, {
    metadata: { column },
  });
}

/**
 * The pattern of SQL's LIKE that a match of text means, with `sign` before the characters that would mean something in it.
 * In a glob `*` and `?` are the only ones that do.
 */
export function likePattern(
  { op, text }: Pick<Extract<RowFilter, { readonly kind: "text" }>, "op" | "text">,
  sign = "\\",
): string {
  const literal = [...text]
    .map((each) => (each === "%" || each === "_" || each === sign ? sign + each : each))
    .join("");
  switch (op) {
    case "contains":
      return `%${literal}%`;
    case "startsWith":
      return `${literal}%`;
    case "endsWith":
      return `%${literal}`;
    case "glob":
      return literal.replaceAll("*", "%").replaceAll("?", "_");
  }
}
