import type { LiteralExpr } from "../engine/plan.ts";
import {
  BIGINT,
  BOOLEAN,
  type ColumnType,
  type DecimalType,
  DOUBLE,
  decimal,
  HUGEINT,
  type IntegerType,
  integerRange,
  NULL,
  VARCHAR,
} from "./column-type.ts";
import type { Scalar } from "./model.ts";
import { readTemporal } from "./temporal.ts";

/** A literal with what the planner knows of its type, or why the value can't be read as the type. */
export type Reading = { readonly expr: LiteralExpr; readonly type: ColumnType } | { readonly problem: string };

const UUID_PATTERN = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i;
const BASE64_PATTERN = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const NUMBER_PATTERN = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,4}))?$/;
const FLOAT_MAX = 3.4028234663852886e38;

/**
 * Reads a JSON scalar as a value that is compared with a column of this type. A number that the column could not hold, but a
 * wider exact type can, is read as that: comparing with it is still right.
 */
export function readLiteral(value: Scalar, type: ColumnType): Reading {
  const strict = readLiteralExactly(value, type);
  if (!("problem" in strict)) return strict;
  const wider = widerType(value, type);
  const reading = wider === undefined ? strict : readLiteralExactly(value, wider);
  return "problem" in reading ? strict : reading;
}

/** Reads a JSON scalar as a value of exactly this type. */
export function readLiteralExactly(value: Scalar, type: ColumnType): Reading {
  if (value === null) return { expr: { kind: "literal", value: null, type: type.type }, type };
  switch (type.kind) {
    case "boolean":
      return readBoolean(value);
    case "integer":
      return readInteger(value, type);
    case "decimal":
      return readDecimal(value, type);
    case "float":
      return readFloat(value, type);
    case "text":
      return typeof value === "string" ? literal(value, VARCHAR) : problem(value, "is not text");
    case "date":
    case "time":
    case "timestamp":
    case "timestampTz":
      return readTime(value, type);
    case "binary":
      return typeof value === "string" && BASE64_PATTERN.test(value)
        ? literal(value, type)
        : problem(value, "is not bytes in base64");
    case "other":
      return readOther(value, type);
    case "null":
      return readUntyped(value);
    case "interval":
    case "nested":
      return { problem: `values of type ${type.type} can't be compared with a constant` };
  }
}

/** Reads a JSON scalar without a type: BOOLEAN, BIGINT for whole numbers up to 2^53, DOUBLE, VARCHAR. */
export function readUntyped(value: Scalar): Reading {
  if (value === null) return literal(null, NULL);
  if (typeof value === "boolean") return literal(value, BOOLEAN);
  if (typeof value === "string") return literal(value, VARCHAR);
  return Number.isSafeInteger(value) ? literal(String(value), BIGINT) : readFloat(value, DOUBLE);
}

function literal(value: LiteralExpr["value"], type: ColumnType): Reading {
  return { expr: { kind: "literal", value, type: type.type }, type };
}

function problem(value: Scalar, what: string): Reading {
  const shown = JSON.stringify(value);
  return { problem: `${shown.length > 100 ? `${shown.slice(0, 100)}…` : shown} ${what}` };
}

function readBoolean(value: Scalar): Reading {
  if (typeof value === "boolean") return literal(value, BOOLEAN);
  return value === "true" || value === "false"
    ? literal(value === "true", BOOLEAN)
    : problem(value, "is not true or false");
}

/** An exact number: `digits` times 10 to the power of minus `scale`, in lowest terms. */
interface Exact {
  readonly digits: bigint;
  readonly scale: number;
}

function readExact(value: Scalar): Exact | undefined {
  if (typeof value === "number" && !Number.isFinite(value)) return undefined;
  if (typeof value !== "number" && typeof value !== "string") return undefined;
  // Beyond 2^53 a JSON number has lost digits already; it has to be text.
  if (typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value)) return undefined;
  const [, sign, whole = "", fraction = "", exponent = "0"] = NUMBER_PATTERN.exec(String(value)) ?? [];
  if (sign === undefined || whole + fraction === "" || whole.length + fraction.length > 1000) return undefined;
  let digits = BigInt(whole + fraction);
  let scale = fraction.length - Number(exponent);
  if (digits === 0n) return { digits, scale: 0 };
  while (scale > 0 && digits % 10n === 0n) {
    digits /= 10n;
    scale -= 1;
  }
  if (scale < -1000 || scale > 2000) return undefined;
  if (scale < 0) digits *= 10n ** BigInt(-scale);
  return { digits: sign === "-" ? -digits : digits, scale: Math.max(0, scale) };
}

function readInteger(value: Scalar, type: IntegerType): Reading {
  const exact = readExact(value);
  if (exact === undefined || exact.scale > 0) {
    const large = typeof value === "number" && Number.isInteger(value);
    return problem(value, large ? "is above 2^53 and must be given as text" : "is not a whole number");
  }
  const { min, max } = integerRange(type);
  if (exact.digits < min || exact.digits > max) return problem(value, `does not fit into ${type.type}`);
  return literal(exact.digits.toString(), type);
}

function readDecimal(value: Scalar, type: DecimalType): Reading {
  const exact = readExact(value);
  if (exact === undefined) return problem(value, "is not a decimal number; give large ones as text");
  const size = decimalSize(exact);
  if (size.scale > type.scale || size.whole > type.width - type.scale)
    return problem(value, `does not fit into ${type.type}`);
  return literal(decimalText(exact), type);
}

function decimalSize({ digits, scale }: Exact): { readonly whole: number; readonly scale: number } {
  const length = (digits < 0n ? -digits : digits).toString().length;
  return { whole: digits === 0n ? 0 : Math.max(0, length - scale), scale };
}

function decimalText({ digits, scale }: Exact): string {
  if (scale === 0) return digits.toString();
  const text = (digits < 0n ? -digits : digits).toString().padStart(scale + 1, "0");
  return `${digits < 0n ? "-" : ""}${text.slice(0, -scale)}.${text.slice(-scale)}`;
}

function readFloat(value: Scalar, type: ColumnType): Reading {
  if (value === "NaN" || value === "Infinity" || value === "-Infinity") return literal(value, type);
  const isNumber = typeof value === "string" && /\d/.test(value) && NUMBER_PATTERN.test(value);
  const number = typeof value === "number" ? value : isNumber ? Number(value) : Number.NaN;
  if (typeof value === "number" && !Number.isFinite(number)) return literal(String(number), type);
  if (!Number.isFinite(number)) return problem(value, "is not a number");
  if (type.type === "FLOAT" && Math.abs(number) > FLOAT_MAX) return problem(value, "does not fit into FLOAT");
  return literal(String(number), type);
}

function readTime(value: Scalar, type: ColumnType): Reading {
  if (typeof value !== "string") return problem(value, `is not text, as values of type ${type.type} are written`);
  const reading = readTemporal(value, type);
  return "problem" in reading ? problem(value, reading.problem) : literal(reading.text, type);
}

function readOther(value: Scalar, type: ColumnType): Reading {
  if (type.type !== "UUID") return { problem: `values of type ${type.type} can't be compared with a constant` };
  return typeof value === "string" && UUID_PATTERN.test(value)
    ? literal(value.toLowerCase(), type)
    : problem(value, "is not a UUID");
}

function widerType(value: Scalar, type: ColumnType): ColumnType | undefined {
  if (type.kind === "integer") return type.type === "UHUGEINT" ? undefined : HUGEINT;
  if (type.kind === "float") return DOUBLE;
  // A column that counts seconds can be compared with a fraction.
  if (type.kind === "timestamp")
    return type.type === "TIMESTAMP_NS" ? undefined : { kind: "timestamp", type: "TIMESTAMP" };
  return type.kind === "decimal" ? widerDecimal(value, type) : undefined;
}

// Both the column and the value must fit into the wider type, or the comparison would be inexact.
function widerDecimal(value: Scalar, type: DecimalType): DecimalType | undefined {
  const exact = readExact(value);
  if (exact === undefined) return undefined;
  const size = decimalSize(exact);
  const scale = Math.max(type.scale, size.scale);
  const width = Math.max(type.width - type.scale, size.whole) + scale;
  return width <= 38 ? decimal(width, scale) : undefined;
}
