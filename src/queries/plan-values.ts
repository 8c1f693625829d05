import type { Expr, NamedExpr, Plan } from "../engine/plan.ts";
import { columnsOf } from "../engine/plan-columns.ts";
import { BIGINT, resultColumn, VARCHAR } from "./column-type.ts";
import { planFilter } from "./filters.ts";
import type { Filter } from "./model.ts";
import { Place } from "./place.ts";
import type { PlannedQuery } from "./planner.ts";
import { Columns, column, type DatasetSchema } from "./schema.ts";
import { castTo, type Typed } from "./scope.ts";

/** Which different values of a column. */
export interface ValuesQuery {
  readonly column: string;
  /** Only values whose text starts with this, whatever the case; empty for all. */
  readonly prefix: string;
  readonly filter?: Filter;
}

/** Where a page of values begins: behind a value, or, for types without constants, behind a number of values. */
export type ValuesStart = { readonly after: string } | { readonly skip: number };

/**
 * Plans the different values of a column in their order, NULL last, with their counts. The columns are the value, the count
 * and, where a page can begin behind a value, the text that the next page's `after` takes.
 */
export function planValues(
  query: ValuesQuery,
  schema: DatasetSchema,
  start: ValuesStart,
  limit: number,
): PlannedQuery & { readonly keyed: boolean } {
  const columns = new Columns(schema);
  const root = new Place();
  const value = columns.scope.resolve(query.column, root.at("column"));
  const conditions = valueConditions(query, value, columns, root);
  const keyed = value.type.kind !== "nested";
  if ("after" in start && keyed) conditions.push(behind(value, start.after));
  const used = new Set([query.column]);
  for (const condition of conditions) columnsOf(condition, used);
  const rows = conditions.reduce<Plan>(
    (input, condition) => ({ op: "filter", input, condition }),
    columns.source(used),
  );
  const counted: Plan = {
    op: "aggregate",
    input: rows,
    groups: [{ name: "value", expr: value.expr }],
    measures: [{ name: "count", op: "count" }],
  };
  const keys = [{ ...column("value"), descending: false, nullsFirst: false }];
  const skip = "skip" in start ? start.skip : 0;
  const page: Plan = {
    op: "limit",
    input: { op: "sort", input: counted, keys },
    limit,
    ...(skip > 0 && { offset: skip }),
  };
  const key: NamedExpr = { name: "key", expr: keyText({ ...value, expr: column("value").expr }) };
  return {
    plan: keyed ? { op: "project", input: page, columns: [column("value"), column("count"), key] } : page,
    columns: [resultColumn(query.column, value.type), resultColumn("count", BIGINT)],
    keyed,
  };
}

function valueConditions({ prefix, filter }: ValuesQuery, value: Typed, { scope }: Columns, root: Place): Expr[] {
  const conditions = filter ? [planFilter(filter, scope, root.at("filter"))] : [];
  if (prefix === "") return conditions;
  const { expr: arg } = castTo(value, VARCHAR);
  return [...conditions, { kind: "textMatch", op: "startsWith", arg, text: prefix, ignoreCase: true }];
}

/** The text from which the engine reads exactly the same value again. */
function keyText({ expr, type }: Typed): Expr {
  return type.kind === "text" ? expr : { kind: "cast", arg: expr, type: "VARCHAR" };
}

// NULL is the last value, so it is behind every other one.
function behind({ expr, type }: Typed, after: string): Expr {
  const last: Expr =
    type.kind === "text"
      ? { kind: "literal", value: after, type: type.type }
      : { kind: "cast", arg: { kind: "literal", value: after, type: "VARCHAR" }, type: type.type };
  const greater: Expr = { kind: "call", fn: "greater", args: [expr, last] };
  return { kind: "call", fn: "or", args: [greater, { kind: "call", fn: "isNull", args: [expr] }] };
}
