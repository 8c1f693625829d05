import type { ScalarFunction } from "../../plan.ts";

/** Lets `use` name a value as often as it needs to, while the value itself is written once. */
export type Once = (value: string, use: (name: string) => string) => string;

type Render = (args: readonly string[], argType: string, once: Once) => string;

/** Joins arguments by an operator, in parentheses. */
const infix =
  (operator: string): Render =>
  (args) =>
    args.length === 1 ? args.join("") : `(${args.join(` ${operator} `)})`;

const plain =
  (name: string): Render =>
  (args) =>
    `${name}(${args.join(", ")})`;

const part =
  (name: string): Render =>
  ([arg = ""], argType, once) =>
    once(arg, (value) => `extract(${name} FROM ${inUtc(value, argType)})`);

/** DuckDB's nullif writes its first argument out twice when it binds, so nested ones take exponential time. */
function nullIf(once: Once, a: string, b: string): string {
  return once(a, (value) => `nullif(${value}, ${b})`);
}

const LEAST_NEGATIVE = "CAST(-5e-324 AS DOUBLE)";

/** How each function is written. The planner has brought the arguments to the types that the functions take. */
export const functions: Readonly<Record<ScalarFunction, Render>> = {
  add: infix("+"),
  subtract: infix("-"),
  multiply: infix("*"),
  divide: ([a = "", b = ""], _, once) => `(${a} / ${nullIf(once, b, "0")})`,
  modulo: ([a = "", b = ""], _, once) => `(${a} % ${nullIf(once, b, "0")})`,
  negate: ([a = ""]) => `(-${a})`,
  equal: infix("="),
  notEqual: infix("<>"),
  less: infix("<"),
  lessOrEqual: infix("<="),
  greater: infix(">"),
  greaterOrEqual: infix(">="),
  and: infix("AND"),
  or: infix("OR"),
  not: ([a = ""]) => `(NOT ${a})`,
  isNull: ([a = ""]) => `(${a} IS NULL)`,
  coalesce: plain("coalesce"),
  nullIf: ([a = "", b = ""], _, once) => nullIf(once, a, b),
  least: plain("least"),
  greatest: plain("greatest"),
  abs: plain("abs"),
  round: plain("round"),
  floor: plain("floor"),
  ceil: plain("ceil"),
  // Below 0 (and at 0 for logarithms) DuckDB raises an error. greatest() leaves NULL out and takes NaN for the greatest, so
  // this maps what must be NULL to one value.
  sqrt: ([a = ""], _, once) => `sqrt(${nullIf(once, `greatest(${a}, ${LEAST_NEGATIVE})`, LEAST_NEGATIVE)})`,
  power: plain("pow"),
  exp: plain("exp"),
  ln: ([a = ""], _, once) => `ln(${nullIf(once, `greatest(${a}, 0)`, "0")})`,
  log10: ([a = ""], _, once) => `log10(${nullIf(once, `greatest(${a}, 0)`, "0")})`,
  lower: plain("lower"),
  upper: plain("upper"),
  trim: plain("trim"),
  length: plain("length"),
  substring: plain("substring"),
  concat: plain("concat"),
  replace: plain("replace"),
  startsWith: plain("starts_with"),
  contains: plain("contains"),
  year: part("year"),
  quarter: part("quarter"),
  month: part("month"),
  day: part("day"),
  hour: part("hour"),
  minute: part("minute"),
  secondsBetween: ([a = "", b = ""]) => `((epoch_us(${b}) - epoch_us(${a})) / 1e6)`,
  daysBetween: ([a = "", b = ""]) => `date_diff('day', ${a}, ${b})`,
  toText: ([a = ""]) => `CAST(${a} AS VARCHAR)`,
  toDouble: ([a = ""]) => `TRY_CAST(${a} AS DOUBLE)`,
  // Casts of floats round halves to even, those of texts and decimals away from zero.
  toInteger: ([a = ""], argType) =>
    `TRY_CAST(${argType === "DOUBLE" || argType === "FLOAT" ? `round(${a})` : a} AS BIGINT)`,
  toDate: ([a = ""]) => `TRY_CAST(${a} AS DATE)`,
  toTimestamp: ([a = ""]) => `TRY_CAST(${a} AS TIMESTAMP)`,
};

const INSTANT = "TIMESTAMP WITH TIME ZONE";

/**
 * An instant as TIMESTAMP in UTC, a TIMESTAMP_NS as TIMESTAMP; all else as it is.
 * DuckDB's own way for instants goes through ICU, whatever the zone: 35 ms against 540 for 2 M rows. It has no number for
 * infinity, so that one goes through the cast. A cast from nanoseconds rounds towards 1970, not down.
 */
export function inUtc(arg: string, argType: string): string {
  if (argType === INSTANT) return `coalesce(make_timestamp(epoch_us(${arg})), CAST(${arg} AS TIMESTAMP))`;
  if (argType === "TIMESTAMP_NS") {
    const nanos = `epoch_ns(${arg})`;
    return `coalesce(make_timestamp((${nanos} - (${nanos} % 1000 + 1000) % 1000) // 1000), CAST(${arg} AS TIMESTAMP))`;
  }
  return arg;
}

/** A TIMESTAMP that counts in UTC as the instant. */
export function utcInstant(timestamp: string): string {
  return `coalesce(make_timestamptz(epoch_us(${timestamp})), CAST(${timestamp} AS ${INSTANT}))`;
}
