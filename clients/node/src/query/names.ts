import { clientError } from "../errors.ts";
import { Function as Fn, MeasureOp, TimePartKind, TimeUnit, Totals, Weekday } from "../gen/drover/v1/query_pb.js";

/** A calendar period. */
export const timeUnits = {
  second: TimeUnit.SECOND,
  minute: TimeUnit.MINUTE,
  hour: TimeUnit.HOUR,
  day: TimeUnit.DAY,
  week: TimeUnit.WEEK,
  month: TimeUnit.MONTH,
  quarter: TimeUnit.QUARTER,
  year: TimeUnit.YEAR,
} as const;
export type TimeUnitName = keyof typeof timeUnits;

/** A recurring part of a time. */
export const timeParts = {
  minuteOfHour: TimePartKind.MINUTE_OF_HOUR,
  hourOfDay: TimePartKind.HOUR_OF_DAY,
  dayOfWeek: TimePartKind.DAY_OF_WEEK,
  dayOfMonth: TimePartKind.DAY_OF_MONTH,
  dayOfYear: TimePartKind.DAY_OF_YEAR,
  weekOfYear: TimePartKind.WEEK_OF_YEAR,
  monthOfYear: TimePartKind.MONTH_OF_YEAR,
  quarterOfYear: TimePartKind.QUARTER_OF_YEAR,
} as const;
export type TimePartName = keyof typeof timeParts;

/** A day of the week. */
export const weekdays = {
  monday: Weekday.MONDAY,
  tuesday: Weekday.TUESDAY,
  wednesday: Weekday.WEDNESDAY,
  thursday: Weekday.THURSDAY,
  friday: Weekday.FRIDAY,
  saturday: Weekday.SATURDAY,
  sunday: Weekday.SUNDAY,
} as const;
export type WeekdayName = keyof typeof weekdays;

/** What a measure computes. */
export const measureOps = {
  count: MeasureOp.COUNT,
  countDistinct: MeasureOp.COUNT_DISTINCT,
  sum: MeasureOp.SUM,
  avg: MeasureOp.AVG,
  min: MeasureOp.MIN,
  max: MeasureOp.MAX,
  variance: MeasureOp.VARIANCE,
  stddev: MeasureOp.STDDEV,
  median: MeasureOp.MEDIAN,
  quantile: MeasureOp.QUANTILE,
} as const;
export type MeasureOpName = keyof typeof measureOps;

/** Which total rows a result carries: one over everything, or one for each prefix of the dimensions as well. */
export const totalsKinds = {
  none: Totals.UNSPECIFIED,
  grand: Totals.GRAND,
  subtotals: Totals.SUBTOTALS,
} as const;
export type TotalsName = keyof typeof totalsKinds;

/** The functions of expressions; the contract (query.proto, `Function`) says what each does. */
export const functions = {
  add: Fn.ADD,
  subtract: Fn.SUBTRACT,
  multiply: Fn.MULTIPLY,
  divide: Fn.DIVIDE,
  modulo: Fn.MODULO,
  negate: Fn.NEGATE,
  equal: Fn.EQUAL,
  notEqual: Fn.NOT_EQUAL,
  less: Fn.LESS,
  lessOrEqual: Fn.LESS_OR_EQUAL,
  greater: Fn.GREATER,
  greaterOrEqual: Fn.GREATER_OR_EQUAL,
  and: Fn.AND,
  or: Fn.OR,
  not: Fn.NOT,
  isNull: Fn.IS_NULL,
  coalesce: Fn.COALESCE,
  nullIf: Fn.NULL_IF,
  least: Fn.LEAST,
  greatest: Fn.GREATEST,
  abs: Fn.ABS,
  round: Fn.ROUND,
  floor: Fn.FLOOR,
  ceil: Fn.CEIL,
  sqrt: Fn.SQRT,
  power: Fn.POWER,
  exp: Fn.EXP,
  ln: Fn.LN,
  log10: Fn.LOG10,
  lower: Fn.LOWER,
  upper: Fn.UPPER,
  trim: Fn.TRIM,
  length: Fn.LENGTH,
  substring: Fn.SUBSTRING,
  concat: Fn.CONCAT,
  replace: Fn.REPLACE,
  startsWith: Fn.STARTS_WITH,
  contains: Fn.CONTAINS,
  year: Fn.YEAR,
  quarter: Fn.QUARTER,
  month: Fn.MONTH,
  day: Fn.DAY,
  hour: Fn.HOUR,
  minute: Fn.MINUTE,
  secondsBetween: Fn.SECONDS_BETWEEN,
  daysBetween: Fn.DAYS_BETWEEN,
  toText: Fn.TO_TEXT,
  toDouble: Fn.TO_DOUBLE,
  toInteger: Fn.TO_INTEGER,
  toDate: Fn.TO_DATE,
  toTimestamp: Fn.TO_TIMESTAMP,
} as const;
export type FunctionName = keyof typeof functions;

/** Looks a name up for callers without types, whose mistakes would travel as "unspecified" otherwise. */
export function lookUp<T extends Readonly<Record<string, number>>>(table: T, name: keyof T & string, what: string) {
  if (Object.hasOwn(table, name)) return table[name] as T[keyof T];
  throw clientError("INVALID_ARGUMENT", `unknown ${what} "${name}"; known: ${Object.keys(table).join(", ")}`);
}
