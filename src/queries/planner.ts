import type { MeasureExpr, NamedExpr, Plan } from "../engine/plan.ts";
import { columnsOf } from "../engine/plan-columns.ts";
import type { Column } from "../engine/types.ts";
import { addCalculations, resultOf } from "./calculations.ts";
import type { CheckedQuery, PlannedCalculation } from "./checked-query.ts";
import { type ColumnType, resultColumn, VARCHAR } from "./column-type.ts";
import { planDimension } from "./dimensions.ts";
import { planExpression } from "./expressions.ts";
import { planFilter } from "./filters.ts";
import { forGroups, type Levels, planLevels, ROW_KIND, rowKind } from "./levels.ts";
import { measureInputs, planMeasure } from "./measures.ts";
import type { AggregateQuery } from "./model.ts";
import { Place } from "./place.ts";
import { Columns, column, type DatasetSchema } from "./schema.ts";
import { Scope } from "./scope.ts";
import { sortKeys } from "./sorting.ts";
import { planTop, topByLimit, topByRanking } from "./top.ts";

/** A plan and the columns of its result. */
export interface PlannedQuery {
  readonly plan: Plan;
  readonly columns: readonly Column[];
}

/**
 * Plans an aggregate query over one version. Pure: the same query and schema give the same plan.
 * Throws a DriverError with the field's path, relative to the query, in `violations`.
 */
export function planAggregate(query: AggregateQuery, schema: DatasetSchema): PlannedQuery {
  const checked = checkQuery(query, schema);
  const levels = planLevels(checked);
  const grouped = groupedPlan(checked, levels);
  const kept = keepGroups(grouped, checked, levels);
  return { plan: shape(kept, checked, levels), columns: resultColumns(checked, levels) };
}

function checkQuery(query: AggregateQuery, schema: DatasetSchema): CheckedQuery {
  const root = new Place();
  if (query.dimensions.length === 0 && query.measures.length === 0)
    throw root.error("INVALID_QUERY", "a query needs a dimension or a measure");
  const columns = new Columns(schema);
  columns.calculate(query.calculatedColumns, root);
  const filter = query.filter && planFilter(query.filter, columns.scope, root.at("filter"));
  const dimensions = query.dimensions.map((dimension, index) =>
    planDimension(dimension, columns.scope, root.item("dimensions", index)),
  );
  const measures = query.measures.map((measure, index) =>
    planMeasure(measure, columns.scope, root.item("measures", index)),
  );
  const outputs = new Map<string, ColumnType>();
  const scope = new Scope("dimension or measure");
  const add = (name: string, type: ColumnType, place: Place) => {
    if (outputs.has(name))
      throw place.error("DUPLICATE_NAME", `the result has a column ${JSON.stringify(name)} already`, { name });
    outputs.set(name, type);
    scope.add(name, type);
  };
  for (const [index, { name, type }] of dimensions.entries())
    add(name, type, root.item("dimensions", index).at("alias"));
  for (const [index, { measure, type }] of measures.entries())
    add(measure.name, type, root.item("measures", index).at("alias"));
  const calculations = query.calculatedMeasures.map(({ name, expression }, index): PlannedCalculation => {
    const at = root.item("calculated_measures", index);
    const typed = planExpression(expression, scope, at.at("expression"));
    add(name, typed.type, at.at("name"));
    return { name, typed };
  });
  const having = query.having && planFilter(query.having, scope, root.at("having"));
  for (const [index, { by }] of query.order.entries()) scope.resolve(by, root.item("order", index).at("by"));
  const checked = { query, columns, dimensions, measures, calculations, filter, having, top: undefined, outputs };
  const top = query.top && planTop(query.top, checked, root.at("top"));
  if ((query.totals !== "none" || top?.others) && outputs.has(ROW_KIND))
    throw root.error(
      "DUPLICATE_NAME",
      `the result has a column ${JSON.stringify(ROW_KIND)} for totals and others already`,
    );
  return { ...checked, top };
}

/** The rows that count, grouped, with every measure and calculated measure. */
function groupedPlan(checked: CheckedQuery, levels: Levels): Plan {
  const { dimensions, measures, top } = checked;
  const source = filteredSource(checked);
  const ranked = top && !topByLimit(checked) ? topByRanking(source, checked, top, levels) : undefined;
  const groups = ranked?.groups ?? dimensions.map(({ name, key }): NamedExpr => ({ name, expr: key.expr }));
  const aggregate: Plan = {
    op: "aggregate",
    input: ranked?.input ?? source,
    groups,
    measures: measures.map(({ measure }): MeasureExpr => measure),
    ...(levels.rollup && { rollup: levels.rollup }),
  };
  const hidden = [levels.levelColumn, levels.othersColumn].filter((name) => name !== undefined);
  return calculate(aggregate, checked, hidden);
}

function filteredSource({ columns, dimensions, measures, filter }: CheckedQuery): Plan {
  const used = new Set<string>();
  for (const { key } of dimensions) columnsOf(key.expr, used);
  for (const { measure } of measures) for (const expr of measureInputs(measure)) columnsOf(expr, used);
  if (filter) columnsOf(filter, used);
  const source = columns.source(used);
  return filter ? { op: "filter", input: source, condition: filter } : source;
}

/** Adds what is computed after grouping: instants of local times, calculated measures. */
function calculate(
  aggregate: Plan,
  { dimensions, calculations, outputs }: CheckedQuery,
  hidden: readonly string[],
): Plan {
  const calculated = new Set(calculations.map(({ name }) => name));
  const passed = [...[...outputs.keys()].filter((name) => !calculated.has(name)), ...hidden];
  let plan = aggregate;
  if (dimensions.some(({ finish }) => finish !== undefined)) {
    const instants = new Map(dimensions.map((each) => [each.name, resultOf(each, column(each.name).expr)] as const));
    plan = {
      op: "project",
      input: plan,
      columns: passed.map((name) => ({ name, expr: instants.get(name) ?? column(name).expr })),
    };
  }
  return addCalculations(plan, calculations, passed, [...outputs.keys()]);
}

/** Leaves out the groups that `top` without others or `having` refuse. Totals stay. */
function keepGroups(input: Plan, checked: CheckedQuery, levels: Levels): Plan {
  const { top, having } = checked;
  let plan = input;
  if (top && topByLimit(checked)) plan = topByLimit(checked)?.(plan) ?? plan;
  if (levels.dropOthers) plan = { op: "filter", input: plan, condition: levels.dropOthers };
  if (having) plan = { op: "filter", input: plan, condition: forGroups(having, levels) };
  return plan;
}

/** Order, limit and the final columns. */
function shape(input: Plan, checked: CheckedQuery, levels: Levels): Plan {
  const { query, dimensions, outputs } = checked;
  let plan = input;
  if (dimensions.length > 0) plan = { op: "sort", input: plan, keys: sortKeys(checked, levels) };
  if (query.limit > 0 || query.offset > 0) {
    plan = {
      op: "limit",
      input: plan,
      ...(query.limit > 0 && { limit: query.limit }),
      ...(query.offset > 0 && { offset: query.offset }),
      ...(levels.isGroup && { counted: levels.isGroup }),
    };
  }
  if (levels.levelColumn === undefined && levels.othersColumn === undefined && !levels.showKind) return plan;
  const columns: NamedExpr[] = [...outputs.keys()].map(column);
  if (levels.showKind) columns.push({ name: ROW_KIND, expr: rowKind(levels) });
  return { op: "project", input: plan, columns };
}

function resultColumns({ outputs }: CheckedQuery, levels: Levels): readonly Column[] {
  const columns = [...outputs].map(([name, type]) => resultColumn(name, type));
  return levels.showKind ? [...columns, resultColumn(ROW_KIND, VARCHAR)] : columns;
}
