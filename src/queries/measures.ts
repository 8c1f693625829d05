import type { Expr, MeasureExpr, MeasureOp } from "../engine/plan.ts";
import { BIGINT, type ColumnType, DOUBLE, decimal, HUGEINT, isNumeric, TIMESTAMP } from "./column-type.ts";
import { planFilter } from "./filters.ts";
import type { Measure } from "./model.ts";
import type { Place } from "./place.ts";
import { castTo, type Scope, type Typed } from "./scope.ts";

/** A measure that was checked. */
export interface PlannedMeasure {
  readonly measure: MeasureExpr;
  readonly type: ColumnType;
}

const OP_NAMES: Readonly<Record<MeasureOp, string>> = {
  count: "count",
  countDistinct: "count_distinct",
  sum: "sum",
  avg: "avg",
  min: "min",
  max: "max",
  variance: "variance",
  stddev: "stddev",
  median: "median",
  quantile: "quantile",
};

/** The measure's name in the result: its alias, else `op` or `op_column`. */
export function measureName({ op, column, alias }: Measure): string {
  return alias || (column === undefined ? OP_NAMES[op] : `${OP_NAMES[op]}_${column}`);
}

/** Checks a measure. Throws INVALID_MEASURE, INVALID_FILTER or UNKNOWN_COLUMN at the field at fault. */
export function planMeasure(measure: Measure, scope: Scope, place: Place): PlannedMeasure {
  const name = measureName(measure);
  const filter = measure.filter && planFilter(measure.filter, scope, place.at("filter"));
  const rest = { name, op: measure.op, ...(filter && { filter }) };
  if (measure.column === undefined) {
    if (measure.op !== "count")
      throw place.at("column").error("INVALID_MEASURE", `${OP_NAMES[measure.op]} needs a column`);
    return { measure: rest, type: BIGINT };
  }
  const column = scope.resolve(measure.column, place.at("column"));
  const argument = measuredColumn(measure.op, column);
  if (argument === undefined)
    throw place
      .at("column")
      .error(
        "INVALID_MEASURE",
        `${OP_NAMES[measure.op]} can't be computed of ${measure.column}, which is ${column.type.type}`,
        {
          column: measure.column,
          type: column.type.type,
        },
      );
  return {
    measure: { ...rest, argument: argument.expr, argumentType: argument.type.type, ...quantileOf(measure, place) },
    type: measureType(measure.op, argument.type),
  };
}

function quantileOf({ op, quantile }: Measure, place: Place): { readonly quantile?: number } {
  if (op !== "quantile") return {};
  const value = quantile ?? 0;
  if (!(value >= 0 && value <= 1)) throw place.at("quantile").error("INVALID_MEASURE", "must be from 0 to 1");
  return { quantile: value };
}

/** The column as the measure takes it; undefined if it can't. */
function measuredColumn(op: MeasureOp, column: Typed): Typed | undefined {
  const { type } = column;
  switch (op) {
    case "count":
    case "countDistinct":
      return column;
    case "min":
    case "max":
      return type.kind === "nested" ? undefined : column;
    case "sum":
      // The only whole numbers whose sum engines would make a DOUBLE.
      if (type.kind === "integer" && type.bits === 128) return castTo(column, HUGEINT);
      return isNumeric(type) ? column : undefined;
    case "avg":
    case "variance":
    case "stddev":
      return isNumeric(type) ? column : undefined;
    case "median":
    case "quantile":
      return quantileColumn(column);
  }
}

function quantileColumn(column: Typed): Typed | undefined {
  const { type } = column;
  if (isNumeric(type)) return castTo(column, DOUBLE);
  if (type.kind === "date" || type.kind === "timestamp") return castTo(column, TIMESTAMP);
  return type.kind === "timestampTz" || type.type === "TIME" ? column : undefined;
}

function measureType(op: MeasureOp, argument: ColumnType): ColumnType {
  switch (op) {
    case "count":
    case "countDistinct":
      return BIGINT;
    case "sum":
      if (argument.kind === "integer") return HUGEINT;
      return argument.kind === "decimal" ? decimal(38, argument.scale) : DOUBLE;
    case "avg":
    case "variance":
    case "stddev":
      return DOUBLE;
    case "min":
    case "max":
    case "median":
    case "quantile":
      return argument;
  }
}

/** The expressions that a measure reads. */
export function measureInputs({ argument, filter }: MeasureExpr): readonly Expr[] {
  return [argument, filter].filter((expr) => expr !== undefined);
}
