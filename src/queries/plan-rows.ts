import type { Expr, Plan } from "../engine/plan.ts";
import { columnsOf } from "../engine/plan-columns.ts";
import { columnType, resultColumn } from "./column-type.ts";
import { planFilter } from "./filters.ts";
import { freshName } from "./levels.ts";
import type { Filter } from "./model.ts";
import { Place } from "./place.ts";
import type { PlannedQuery } from "./planner.ts";
import { Columns, column, type DatasetSchema } from "./schema.ts";

/** Which raw rows. */
export interface RowsQuery {
  /** Empty for all. */
  readonly columns: readonly string[];
  readonly filter?: Filter;
}

/** A part of the rows in stored order: of the segments `from` up to and without `to`, behind `after` in the first of them. */
export interface RowsRange {
  readonly from: number;
  readonly to: number;
  /** The row number in segment `from` behind which to begin; -1 for its beginning. */
  readonly after: number;
  readonly limit: number;
}

/**
 * Plans raw rows in stored order. Two more columns stand behind those asked for: the segment's index and the row's number in
 * it, from which the next page begins. Throws UNKNOWN_COLUMN, DUPLICATE_NAME or INVALID_FILTER.
 */
export function planRows(query: RowsQuery, schema: DatasetSchema, range: RowsRange): PlannedQuery {
  const columns = new Columns(schema);
  const root = new Place();
  const names = wantedColumns(query.columns, columns, schema, root);
  const filter = query.filter && planFilter(query.filter, columns.scope, root.at("filter"));
  const used = new Set(names);
  if (filter) columnsOf(filter, used);
  const position = { segment: freshName("segment", columns.scope), row: freshName("row", columns.scope) };
  const source = columns.source(used, { segments: { from: range.from, to: range.to }, position });
  const conditions = [...(range.after < 0 ? [] : [behind(range, position)]), ...(filter ? [filter] : [])];
  const rows = conditions.reduce<Plan>((input, condition) => ({ op: "filter", input, condition }), source);
  const keys = [position.segment, position.row].map((name) => ({
    ...column(name),
    descending: false,
    nullsFirst: false,
  }));
  const sorted: Plan = { op: "limit", input: { op: "sort", input: rows, keys }, limit: range.limit };
  return {
    plan: { op: "project", input: sorted, columns: [...names, position.segment, position.row].map(column) },
    columns: resultColumns(names, schema),
  };
}

/** Plans raw rows in stored order behind a number of them, without their places. Throws as `planRows`. */
export function planSomeRows(
  query: RowsQuery,
  schema: DatasetSchema,
  { skip, limit }: { readonly skip: number; readonly limit: number },
): PlannedQuery {
  const columns = new Columns(schema);
  const root = new Place();
  const names = wantedColumns(query.columns, columns, schema, root);
  const condition = query.filter && planFilter(query.filter, columns.scope, root.at("filter"));
  const used = new Set(names);
  if (condition) columnsOf(condition, used);
  const source = columns.source(used, { ordered: true });
  const input: Plan = condition ? { op: "filter", input: source, condition } : source;
  const rows: Plan = { op: "project", input, columns: names.map(column) };
  return {
    plan: { op: "limit", input: rows, limit, ...(skip > 0 && { offset: skip }) },
    columns: resultColumns(names, schema),
  };
}

function resultColumns(names: readonly string[], schema: DatasetSchema): PlannedQuery["columns"] {
  const types = new Map(schema.columns.map((each) => [each.name, columnType(each)]));
  return names.flatMap((name) => {
    const type = types.get(name);
    return type === undefined ? [] : [resultColumn(name, type)];
  });
}

/** The columns asked for, each once; all of the dataset's when none are. */
export function wantedColumns(
  names: readonly string[],
  { scope }: Columns,
  schema: DatasetSchema,
  root: Place,
): readonly string[] {
  if (names.length === 0) return schema.columns.map(({ name }) => name);
  const seen = new Set<string>();
  for (const [index, name] of names.entries()) {
    const place = root.item("columns", index);
    scope.resolve(name, place);
    if (seen.has(name))
      throw place.error("DUPLICATE_NAME", `${JSON.stringify(name)} is asked for twice`, { column: name });
    seen.add(name);
  }
  return names;
}

function behind({ from, after }: RowsRange, position: { readonly segment: string; readonly row: string }): Expr {
  const later: Expr = {
    kind: "call",
    fn: "greater",
    args: [column(position.segment).expr, { kind: "literal", value: String(from), type: "BIGINT" }],
  };
  const further: Expr = {
    kind: "call",
    fn: "greater",
    args: [column(position.row).expr, { kind: "literal", value: String(after), type: "BIGINT" }],
  };
  return { kind: "call", fn: "or", args: [later, further] };
}
