export { type ClientReason, DroverError, type FieldViolation } from "../errors.ts";
export type { Column, Labels, Progress, QuerySummary, TypeKind } from "../model.ts";
export { Dimension, dim, type WeekOptions, type ZoneOptions } from "../query/dimension.ts";
export type * from "../query/events.ts";
export {
  CaseBuilder,
  call,
  column,
  Expression,
  expressionOf,
  literal,
  type Operand,
  when,
} from "../query/expression.ts";
export { all, any, ColumnCondition, Filter, not, type RangeOptions, type TextOptions, where } from "../query/filter.ts";
export {
  avg,
  count,
  countDistinct,
  Measure,
  max,
  median,
  min,
  quantile,
  stddev,
  sum,
  variance,
} from "../query/measure.ts";
export type { Calculated, OrderKey, QuerySpec, Top } from "../query/spec.ts";
export { type Row, Rows } from "../rows.ts";
export type { IntegerMode, JsonObject, JsonValue, ResultValue, Scalar } from "../values.ts";
export { createDroverClient, type DroverClient, type DroverClientOptions } from "./client.ts";
export { BrowserQuery, type BrowserQueryOptions } from "./query.ts";
