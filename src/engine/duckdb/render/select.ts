import { quoteIdentifier } from "../quoting.ts";

/** One SELECT in the making. Its columns are known by the plan's names; aliases are made up, so no name can clash. */
export interface Select {
  readonly from: string;
  /** Each column of the plan as SQL over `from`. */
  readonly columns: ReadonlyMap<string, string>;
  readonly where: readonly string[];
  /** The text behind GROUP BY; empty for one group of all rows, absent when not grouped. */
  readonly groupBy?: string;
  readonly orderBy?: readonly OrderKey[];
  readonly limit?: number;
  readonly offset?: number;
}

/** A key of ORDER BY: SQL over `from` (the same as a column's, when grouped), and what stands behind it. */
export interface OrderKey {
  readonly sql: string;
  readonly direction: string;
}

/** Makes aliases for relations and columns within one statement. */
export class Aliases {
  #relations = 0;

  /** `t1`, `t2`, … */
  relation(): string {
    this.#relations += 1;
    return `t${this.#relations}`;
  }
}

/** The SELECT as text with the given output aliases, which are not quoted yet. */
export function selectText(select: Select, outputs: readonly (readonly [sql: string, alias: string])[]): string {
  const list = outputs.map(([sql, alias]) => `${sql} AS ${quoteIdentifier(alias)}`);
  return [
    `SELECT ${list.length === 0 ? "1" : list.join(", ")} FROM ${select.from}`,
    select.where.length > 0 ? `WHERE ${select.where.join(" AND ")}` : "",
    select.groupBy ? `GROUP BY ${select.groupBy}` : "",
    orderClause(select, outputs),
    select.limit === undefined ? "" : `LIMIT ${whole(select.limit)}`,
    select.offset === undefined ? "" : `OFFSET ${whole(select.offset)}`,
  ]
    .filter((clause) => clause !== "")
    .join(" ");
}

// A key that is an output is named by its place: shorter, and DuckDB need not find out that two texts mean the same.
function orderClause({ orderBy = [] }: Select, outputs: readonly (readonly [sql: string, alias: string])[]): string {
  const places = new Map(outputs.map(([sql], index) => [sql, index + 1]));
  const keys = orderBy.map(({ sql, direction }) => `${places.get(sql) ?? sql}${direction}`);
  return keys.length > 0 ? `ORDER BY ${keys.join(", ")}` : "";
}

/** Puts a SELECT into the FROM of a new one, with `extra` SQL as further columns, whose references come second. */
export function nest(
  select: Select,
  aliases: Aliases,
  extra: readonly string[] = [],
): { readonly select: Select; readonly extra: readonly string[] } {
  const relation = aliases.relation();
  const names = [...select.columns.keys()];
  const all = [...select.columns.values(), ...extra];
  const text = selectText(
    select,
    all.map((sql, index) => [sql, `c${index}`]),
  );
  const reference = (index: number) => `${relation}.c${index}`;
  return {
    select: {
      from: `(${text}) AS ${relation}`,
      columns: new Map(names.map((name, index) => [name, reference(index)])),
      where: [],
    },
    extra: extra.map((_, index) => reference(names.length + index)),
  };
}

function whole(count: number): string {
  if (!Number.isSafeInteger(count) || count < 0) throw new TypeError(`${count} is no count of rows`);
  return String(count);
}
