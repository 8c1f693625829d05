import type { NamedExpr, Plan, SortKey } from "../engine/plan.ts";
import { columnsOf } from "../engine/plan-columns.ts";
import { addCalculations, resultOf } from "./calculations.ts";
import type { CheckedQuery, PlannedTop } from "./checked-query.ts";
import { freshName, type Levels } from "./levels.ts";
import type { TopN } from "./model.ts";
import type { Place } from "./place.ts";
import { suggestion } from "./place.ts";
import { column } from "./schema.ts";

type Checked = Omit<CheckedQuery, "top">;

/** Checks a top-N. */
export function planTop(
  { dimension, count, measure, ascending, others }: TopN,
  checked: Checked,
  place: Place,
): PlannedTop {
  const { dimensions } = checked;
  if (dimensions.length === 0) throw place.error("INVALID_QUERY", "needs a dimension");
  const names = dimensions.map(({ name }) => name);
  const index = dimension ? names.indexOf(dimension) : 0;
  if (index < 0) {
    const what = `there is no dimension named ${JSON.stringify(dimension)}${suggestion(dimension ?? "", names)}`;
    throw place.at("dimension").error("UNKNOWN_COLUMN", what, { column: dimension ?? "" });
  }
  if (!Number.isInteger(count) || count < 1 || count > 10_000)
    throw place.at("count").error("INVALID_QUERY", "must be from 1 to 10000");
  checkMeasure(measure, checked, place);
  const calculations = neededCalculations(measure, checked, names[index] ?? "", place);
  return { index, by: measure, count, ascending, others, calculations };
}

function checkMeasure(name: string, { measures, calculations }: Checked, place: Place): void {
  const known = [...measures.map(({ measure }) => measure.name), ...calculations.map((each) => each.name)];
  if (known.includes(name)) return;
  const what = `there is no measure named ${JSON.stringify(name)}${suggestion(name, known)}`;
  throw place.at("measure").error("UNKNOWN_COLUMN", what, { column: name });
}

function neededCalculations(by: string, { dimensions, calculations }: Checked, ranked: string, place: Place) {
  const needed = new Set([by]);
  for (const { name, typed } of calculations.toReversed()) if (needed.has(name)) columnsOf(typed.expr, needed);
  const other = dimensions.find(({ name }) => name !== ranked && needed.has(name));
  if (other !== undefined)
    throw place
      .at("measure")
      .error("INVALID_QUERY", `${JSON.stringify(by)} depends on the dimension ${JSON.stringify(other.name)} too`);
  return calculations.filter(({ name }) => needed.has(name));
}

/** For one dimension whose rest is not wanted: ranking the finished groups is enough, and the rows are read once. */
export function topByLimit({ query, dimensions, top }: CheckedQuery): ((groups: Plan) => Plan) | undefined {
  const [dimension] = dimensions;
  if (top === undefined || dimension === undefined || dimensions.length > 1) return undefined;
  if (top.others || query.totals !== "none") return undefined;
  const keys: readonly SortKey[] = [
    { ...column(top.by), descending: !top.ascending, nullsFirst: false },
    { ...column(dimension.name), descending: false, nullsFirst: false },
  ];
  return (groups) => ({ op: "limit", input: { op: "sort", input: groups, keys }, limit: top.count });
}

/** Ranks the dimension's values over all rows and marks each row with whether its value stays. */
export function topByRanking(
  source: Plan,
  checked: CheckedQuery,
  top: PlannedTop,
  { othersColumn }: Levels,
): { readonly input: Plan; readonly groups: readonly NamedExpr[] } {
  const { columns, dimensions, outputs } = checked;
  const key = freshName("top_key", columns.scope, outputs);
  const mark = freshName("top_others", columns.scope, outputs);
  const keyed: Plan = {
    op: "project",
    input: source,
    columns: [
      ...sourceColumns(source).map(column),
      { name: key, expr: dimensions[top.index]?.key.expr ?? column(key).expr },
    ],
  };
  const input: Plan = {
    op: "top",
    input: keyed,
    column: key,
    ranking: rankingPlan(source, checked, top, key),
    by: top.by,
    ascending: top.ascending,
    count: top.count,
    ...(othersColumn !== undefined && { othersColumn: mark }),
  };
  const groups = dimensions.map((dimension, index): NamedExpr => {
    const expr = index === top.index ? column(key).expr : dimension.key.expr;
    return { name: dimension.name, expr };
  });
  const marks = othersColumn === undefined ? [] : [{ ...column(mark), name: othersColumn }];
  return { input, groups: [...groups, ...marks] };
}

function rankingPlan(source: Plan, { dimensions, measures }: CheckedQuery, top: PlannedTop, key: string): Plan {
  const needed = new Set([top.by]);
  for (const { typed } of top.calculations) columnsOf(typed.expr, needed);
  const used = measures.filter(({ measure }) => needed.has(measure.name)).map(({ measure }) => measure);
  const dimension = dimensions[top.index];
  const aggregate: Plan = {
    op: "aggregate",
    input: source,
    groups: dimension === undefined ? [] : [{ name: key, expr: dimension.key.expr }],
    measures: used,
  };
  if (dimension === undefined || top.calculations.length === 0) return aggregate;
  const names = [key, ...used.map(({ name }) => name)];
  const project: Plan = {
    op: "project",
    input: aggregate,
    columns: [...names.map(column), { name: dimension.name, expr: resultOf(dimension, column(key).expr) }],
  };
  return addCalculations(project, top.calculations, [...names, dimension.name]);
}

/** The names of the columns that a source gives. */
function sourceColumns(plan: Plan): readonly string[] {
  switch (plan.op) {
    case "scan":
      return plan.columns;
    case "project":
      return plan.columns.map(({ name }) => name);
    case "filter":
      return sourceColumns(plan.input);
    default:
      throw new TypeError(`a ${plan.op} is no source`);
  }
}
