import type {
  MeasureOp as EngineMeasureOp,
  TimeUnit as EngineTimeUnit,
  ScalarFunction,
  TimePart,
} from "../../engine/plan.ts";
import {
  Function as Fn,
  MeasureOp,
  ComparisonOp as ProtoComparisonOp,
  TextOp,
  TimePartKind,
  TimeUnit,
  Totals,
} from "../../gen/drover/v1/query_pb.js";
import type { AggregateQuery, ComparisonOp, Filter } from "../../queries/model.ts";
import { invalidField } from "./invalid-field.ts";

type TextMatchOp = Extract<Filter, { kind: "text" }>["op"];

/** The model's word for an enum value of the contract. The contract's rules refuse unknown values before; this is the last line. */
export function wordOf<T>(table: Readonly<Record<number, T>>, value: number, place: string): T {
  const word = table[value];
  if (word !== undefined) return word;
  throw invalidField(place, `${value} is not a known value`);
}

export const measureOps: Readonly<Record<number, EngineMeasureOp>> = {
  [MeasureOp.COUNT]: "count",
  [MeasureOp.COUNT_DISTINCT]: "countDistinct",
  [MeasureOp.SUM]: "sum",
  [MeasureOp.AVG]: "avg",
  [MeasureOp.MIN]: "min",
  [MeasureOp.MAX]: "max",
  [MeasureOp.VARIANCE]: "variance",
  [MeasureOp.STDDEV]: "stddev",
  [MeasureOp.MEDIAN]: "median",
  [MeasureOp.QUANTILE]: "quantile",
};

export const timeUnits: Readonly<Record<number, EngineTimeUnit>> = {
  [TimeUnit.SECOND]: "second",
  [TimeUnit.MINUTE]: "minute",
  [TimeUnit.HOUR]: "hour",
  [TimeUnit.DAY]: "day",
  [TimeUnit.WEEK]: "week",
  [TimeUnit.MONTH]: "month",
  [TimeUnit.QUARTER]: "quarter",
  [TimeUnit.YEAR]: "year",
};

export const timeParts: Readonly<Record<number, TimePart>> = {
  [TimePartKind.MINUTE_OF_HOUR]: "minuteOfHour",
  [TimePartKind.HOUR_OF_DAY]: "hourOfDay",
  [TimePartKind.DAY_OF_WEEK]: "dayOfWeek",
  [TimePartKind.DAY_OF_MONTH]: "dayOfMonth",
  [TimePartKind.DAY_OF_YEAR]: "dayOfYear",
  [TimePartKind.WEEK_OF_YEAR]: "weekOfYear",
  [TimePartKind.MONTH_OF_YEAR]: "monthOfYear",
  [TimePartKind.QUARTER_OF_YEAR]: "quarterOfYear",
};

export const comparisonOps: Readonly<Record<number, ComparisonOp>> = {
  [ProtoComparisonOp.EQUAL]: "equal",
  [ProtoComparisonOp.NOT_EQUAL]: "notEqual",
  [ProtoComparisonOp.LESS]: "less",
  [ProtoComparisonOp.LESS_OR_EQUAL]: "lessOrEqual",
  [ProtoComparisonOp.GREATER]: "greater",
  [ProtoComparisonOp.GREATER_OR_EQUAL]: "greaterOrEqual",
};

export const textOps: Readonly<Record<number, TextMatchOp>> = {
  [TextOp.CONTAINS]: "contains",
  [TextOp.STARTS_WITH]: "startsWith",
  [TextOp.ENDS_WITH]: "endsWith",
  [TextOp.GLOB]: "glob",
};

export const totals: Readonly<Record<number, AggregateQuery["totals"]>> = {
  [Totals.UNSPECIFIED]: "none",
  [Totals.GRAND]: "grand",
  [Totals.SUBTOTALS]: "subtotals",
};

export const functions: Readonly<Record<number, ScalarFunction>> = {
  [Fn.ADD]: "add",
  [Fn.SUBTRACT]: "subtract",
  [Fn.MULTIPLY]: "multiply",
  [Fn.DIVIDE]: "divide",
  [Fn.MODULO]: "modulo",
  [Fn.NEGATE]: "negate",
  [Fn.EQUAL]: "equal",
  [Fn.NOT_EQUAL]: "notEqual",
  [Fn.LESS]: "less",
  [Fn.LESS_OR_EQUAL]: "lessOrEqual",
  [Fn.GREATER]: "greater",
  [Fn.GREATER_OR_EQUAL]: "greaterOrEqual",
  [Fn.AND]: "and",
  [Fn.OR]: "or",
  [Fn.NOT]: "not",
  [Fn.IS_NULL]: "isNull",
  [Fn.COALESCE]: "coalesce",
  [Fn.NULL_IF]: "nullIf",
  [Fn.LEAST]: "least",
  [Fn.GREATEST]: "greatest",
  [Fn.ABS]: "abs",
  [Fn.ROUND]: "round",
  [Fn.FLOOR]: "floor",
  [Fn.CEIL]: "ceil",
  [Fn.SQRT]: "sqrt",
  [Fn.POWER]: "power",
  [Fn.EXP]: "exp",
  [Fn.LN]: "ln",
  [Fn.LOG10]: "log10",
  [Fn.LOWER]: "lower",
  [Fn.UPPER]: "upper",
  [Fn.TRIM]: "trim",
  [Fn.LENGTH]: "length",
  [Fn.SUBSTRING]: "substring",
  [Fn.CONCAT]: "concat",
  [Fn.REPLACE]: "replace",
  [Fn.STARTS_WITH]: "startsWith",
  [Fn.CONTAINS]: "contains",
  [Fn.YEAR]: "year",
  [Fn.QUARTER]: "quarter",
  [Fn.MONTH]: "month",
  [Fn.DAY]: "day",
  [Fn.HOUR]: "hour",
  [Fn.MINUTE]: "minute",
  [Fn.SECONDS_BETWEEN]: "secondsBetween",
  [Fn.DAYS_BETWEEN]: "daysBetween",
  [Fn.TO_TEXT]: "toText",
  [Fn.TO_DOUBLE]: "toDouble",
  [Fn.TO_INTEGER]: "toInteger",
  [Fn.TO_DATE]: "toDate",
  [Fn.TO_TIMESTAMP]: "toTimestamp",
};
