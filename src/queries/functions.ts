import type { Expr, ScalarFunction } from "../engine/plan.ts";
import {
  asDecimal,
  BIGINT,
  BOOLEAN,
  type ColumnType,
  commonType,
  DATE,
  DOUBLE,
  decimal,
  HUGEINT,
  INTEGER,
  isNumeric,
  isTemporal,
  NULL,
  TIMESTAMP,
  VARCHAR,
} from "./column-type.ts";
import { castTo, type Typed } from "./scope.ts";

/** Why a call is not possible; the caller knows the place. */
export class SignatureError extends Error {}

type Check = (args: readonly Typed[], fn: ScalarFunction) => Typed;

interface Signature {
  readonly min: number;
  readonly max: number;
  readonly check: Check;
}

const MANY = 100;

/** Types a call: checks the arguments, brings them to the types that the function computes with, and says what it gives. */
export function typeCall(fn: ScalarFunction, args: readonly Typed[]): Typed {
  const { min, max, check } = signatures[fn];
  if (args.length < min || args.length > max) {
    const count = min === max ? `${min}` : max === MANY ? `at least ${min}` : `${min} or ${max}`;
    throw new SignatureError(`${fn} takes ${count} arguments, not ${args.length}`);
  }
  return check(args, fn);
}

function call(fn: ScalarFunction, args: readonly Typed[], type: ColumnType, argType?: ColumnType): Typed {
  const expr: Expr = { kind: "call", fn, args: args.map((arg) => arg.expr) };
  return { expr: argType === undefined ? expr : { ...expr, argType: argType.type }, type };
}

/** Brings each argument to one type, which must be of a kind that `accepts`. */
function brought(args: readonly Typed[], fn: ScalarFunction, accepts: (type: ColumnType) => boolean, to: ColumnType) {
  return args.map((arg) => {
    if (arg.type.kind !== "null" && !accepts(arg.type)) throw unfit(fn, arg.type);
    return castTo(arg, to);
  });
}

function unfit(fn: ScalarFunction, type: ColumnType): SignatureError {
  return new SignatureError(`${fn} does not take ${type.type}`);
}

function common(args: readonly Typed[], fn: ScalarFunction): ColumnType {
  return args.reduce<ColumnType>((type, arg) => {
    const both = commonType(type, arg.type);
    if (both === undefined)
      throw new SignatureError(`${fn} can't bring ${type.type} and ${arg.type.type} to one type; convert one of them`);
    return both;
  }, NULL);
}

const isText = (type: ColumnType) => type.kind === "text";
const isBoolean = (type: ColumnType) => type.kind === "boolean";
const isClock = (type: ColumnType) => type.kind === "time" || type.kind === "timestamp" || type.kind === "timestampTz";
const isScalar = (type: ColumnType) => type.kind !== "nested";

/** Whole numbers are computed with 64 bits, or 128 where an argument could need them. */
function wholeType(args: readonly Typed[]): ColumnType {
  const wide = args.some(
    ({ type }) => type.kind === "integer" && (type.bits > 64 || (type.bits === 64 && !type.signed)),
  );
  return wide ? HUGEINT : BIGINT;
}

function numbers(args: readonly Typed[], fn: ScalarFunction): "whole" | "decimal" | "float" {
  for (const { type } of args) if (type.kind !== "null" && !isNumeric(type)) throw unfit(fn, type);
  if (args.some(({ type }) => type.kind === "float")) return "float";
  return args.some(({ type }) => type.kind === "decimal") ? "decimal" : "whole";
}

/** Arithmetic that keeps the scale: add, subtract, modulo. */
const additive: Check = (args, fn) => {
  const family = numbers(args, fn);
  const scale = Math.max(...args.map(({ type }) => asDecimal(type)?.scale ?? 0));
  const type = family === "float" ? DOUBLE : family === "whole" ? wholeType(args) : decimal(38, scale);
  return call(fn, brought(args, fn, isNumeric, type), type);
};

const multiply: Check = (args, fn) => {
  const family = numbers(args, fn);
  if (family === "whole") return additive(args, fn);
  const scales = args.map(({ type }) => asDecimal(type)?.scale ?? 0);
  const scale = scales.reduce((sum, each) => sum + each, 0);
  if (family === "float" || scale > 38) return call(fn, brought(args, fn, isNumeric, DOUBLE), DOUBLE);
  return call(
    fn,
    args.map((arg, index) => castTo(arg, decimal(38, scales[index] ?? 0))),
    decimal(38, scale),
  );
};

/** One number in, the same kind of number out. */
const sameNumber: Check = (args, fn) => {
  const family = numbers(args, fn);
  const [arg = { expr: { kind: "literal", value: null, type: "NULL" }, type: NULL } as Typed] = args;
  const type = family === "float" ? DOUBLE : family === "whole" ? wholeType(args) : arg.type;
  return call(fn, [castTo(arg, type)], type);
};

const toWhole: Check = (args, fn) => {
  const typed = sameNumber(args, fn);
  if (typed.type.kind === "decimal") return { expr: typed.expr, type: decimal(typed.type.width, 0) };
  const [arg] = args;
  // A whole number is its own floor, and engines would go through DOUBLE.
  return typed.type.kind === "integer" && arg !== undefined ? castTo(arg, typed.type) : typed;
};

const round: Check = (args, fn) => {
  const [number, decimals] = args;
  if (number === undefined) throw new SignatureError(`${fn} takes 1 or 2 arguments, not 0`);
  const places = decimals === undefined ? 0 : literalInteger(decimals, fn);
  const { type } = sameNumber([number], fn);
  if (type.kind === "integer" && places >= 0) return castTo(number, type);
  const count: Typed = { expr: { kind: "literal", value: places, type: "INTEGER" }, type: INTEGER };
  const exact = type.kind === "decimal" ? type : type.kind === "integer" ? decimal(38, 0) : undefined;
  if (exact === undefined) return call(fn, [castTo(number, type), count], type);
  // DuckDB wraps around at the ends of integer types, and makes 99.99 with the width 4 to 0 instead of 100 at -2 places; with
  // the full width neither happens.
  const wide = places < 0 ? decimal(38, exact.scale) : exact;
  const result = decimal(wide.width, Math.min(Math.max(places, 0), exact.scale));
  const rounded = call(fn, [castTo(number, wide), count], result);
  return type.kind === "integer" ? castTo(rounded, type) : rounded;
};

function literalInteger({ expr }: Typed, fn: ScalarFunction): number {
  const value = expr.kind === "literal" ? Number(expr.value) : Number.NaN;
  if (!Number.isInteger(value) || Math.abs(value) > 38)
    throw new SignatureError(`the second argument of ${fn} must be a constant whole number from -38 to 38`);
  return value;
}

const comparison: Check = (args, fn) => {
  const type = common(args, fn);
  if (type.kind === "nested" && fn !== "equal" && fn !== "notEqual") throw unfit(fn, type);
  return call(
    fn,
    args.map((arg) => castTo(arg, type)),
    BOOLEAN,
  );
};

const sameType: Check = (args, fn) => {
  const type = common(args, fn);
  if (fn !== "coalesce" && !isScalar(type)) throw unfit(fn, type);
  return call(
    fn,
    args.map((arg) => castTo(arg, type)),
    type,
  );
};

const nullIf: Check = (args, fn) => {
  const type = common(args, fn);
  const [first] = args;
  const same = call(
    fn,
    args.map((arg) => castTo(arg, type)),
    type,
  );
  return first === undefined || first.type.kind === "null" ? same : castTo(same, first.type);
};

/** A function of arguments of one family that are brought to one type. */
function fixed(accepts: (type: ColumnType) => boolean, to: ColumnType, result: ColumnType): Check {
  return (args, fn) => call(fn, brought(args, fn, accepts, to), result);
}

const substring: Check = (args, fn) => {
  const [text, ...numbersOf] = args;
  const texts = brought(text === undefined ? [] : [text], fn, isText, VARCHAR);
  const positions = brought(numbersOf, fn, (type) => type.kind === "integer", BIGINT);
  for (const [index, { expr }] of positions.entries())
    if (expr.kind === "literal" && expr.value !== null && Number(expr.value) < 1 - index)
      throw new SignatureError(index === 0 ? `${fn} counts from 1` : `${fn} can't give fewer than no characters`);
  return call(fn, [...texts, ...positions], VARCHAR);
};

/** A part of a time; the engine needs to know what it is part of. */
function part(accepts: (type: ColumnType) => boolean): Check {
  return (args, fn) => {
    const [arg] = args;
    if (arg === undefined || arg.type.kind === "null") return { ...nullOf(BIGINT) };
    if (!accepts(arg.type)) throw unfit(fn, arg.type);
    return call(fn, args, BIGINT, arg.type);
  };
}

function nullOf(type: ColumnType): Typed {
  return { expr: { kind: "literal", value: null, type: type.type }, type };
}

const between: Check = (args, fn) => {
  const type = common(args, fn);
  if (type.kind !== "null" && !isTemporal(type)) throw unfit(fn, type);
  const to = fn === "daysBetween" ? DATE : type.kind === "date" || type.kind === "null" ? TIMESTAMP : type;
  return call(fn, brought(args, fn, isTemporal, to), fn === "daysBetween" ? BIGINT : DOUBLE);
};

/** A conversion that gives NULL where it is not possible. */
function conversion(accepts: (type: ColumnType) => boolean, result: ColumnType): Check {
  return (args, fn) => {
    const [arg] = args;
    if (arg === undefined || arg.type.kind === "null") return nullOf(result);
    if (!accepts(arg.type)) throw unfit(fn, arg.type);
    return call(fn, args, result, arg.type);
  };
}

const toNumber = (type: ColumnType) => isNumeric(type) || isText(type) || isBoolean(type);
const toTime = (type: ColumnType) => isTemporal(type) || isText(type);

const one = (check: Check): Signature => ({ min: 1, max: 1, check });
const two = (check: Check): Signature => ({ min: 2, max: 2, check });
const many = (min: number, check: Check): Signature => ({ min, max: MANY, check });
const double = fixed(isNumeric, DOUBLE, DOUBLE);
const text = fixed(isText, VARCHAR, VARCHAR);

const signatures: Readonly<Record<ScalarFunction, Signature>> = {
  add: many(2, additive),
  subtract: two(additive),
  multiply: many(2, multiply),
  divide: two(double),
  modulo: two(additive),
  negate: one(sameNumber),
  equal: two(comparison),
  notEqual: two(comparison),
  less: two(comparison),
  lessOrEqual: two(comparison),
  greater: two(comparison),
  greaterOrEqual: two(comparison),
  and: many(1, fixed(isBoolean, BOOLEAN, BOOLEAN)),
  or: many(1, fixed(isBoolean, BOOLEAN, BOOLEAN)),
  not: one(fixed(isBoolean, BOOLEAN, BOOLEAN)),
  isNull: one((args, fn) => call(fn, args, BOOLEAN)),
  coalesce: many(1, sameType),
  nullIf: two(nullIf),
  least: many(1, sameType),
  greatest: many(1, sameType),
  abs: one(sameNumber),
  round: { min: 1, max: 2, check: round },
  floor: one(toWhole),
  ceil: one(toWhole),
  sqrt: one(double),
  power: two(double),
  exp: one(double),
  ln: one(double),
  log10: one(double),
  lower: one(text),
  upper: one(text),
  trim: one(text),
  length: one(fixed(isText, VARCHAR, BIGINT)),
  substring: { min: 2, max: 3, check: substring },
  concat: many(1, text),
  replace: { min: 3, max: 3, check: text },
  startsWith: two(fixed(isText, VARCHAR, BOOLEAN)),
  contains: two(fixed(isText, VARCHAR, BOOLEAN)),
  year: one(part(isTemporal)),
  quarter: one(part(isTemporal)),
  month: one(part(isTemporal)),
  day: one(part(isTemporal)),
  hour: one(part(isClock)),
  minute: one(part(isClock)),
  secondsBetween: two(between),
  daysBetween: two(between),
  toText: one((args, fn) => call(fn, args, VARCHAR)),
  toDouble: one(conversion(toNumber, DOUBLE)),
  toInteger: one(conversion(toNumber, BIGINT)),
  toDate: one(conversion(toTime, DATE)),
  toTimestamp: one(conversion(toTime, TIMESTAMP)),
};
