import type { Column, TypeKind } from "../engine/types.ts";

/** What the planner must know of a type: its SQL text, its family and how much fits into it. */
export type ColumnType =
  | { readonly kind: "integer"; readonly type: string; readonly bits: number; readonly signed: boolean }
  | { readonly kind: "decimal"; readonly type: string; readonly width: number; readonly scale: number }
  /** The type of a bare NULL: it takes any other. */
  | { readonly kind: "null"; readonly type: "NULL" }
  | { readonly kind: Exclude<TypeKind, "integer" | "decimal">; readonly type: string };

export type IntegerType = Extract<ColumnType, { kind: "integer" }>;
export type DecimalType = Extract<ColumnType, { kind: "decimal" }>;

const INTEGER_BITS: Readonly<Record<string, number>> = {
  TINYINT: 8,
  SMALLINT: 16,
  INTEGER: 32,
  BIGINT: 64,
  HUGEINT: 128,
};

function integer(type: string): IntegerType {
  const signed = !type.startsWith("U");
  // A type without a limit (BIGNUM) counts as the widest.
  const bits = INTEGER_BITS[signed ? type : type.slice(1)] ?? 128;
  return { kind: "integer", type, bits, signed };
}

export function decimal(width: number, scale: number): DecimalType {
  return { kind: "decimal", type: `DECIMAL(${width},${scale})`, width, scale };
}

export const BOOLEAN = { kind: "boolean", type: "BOOLEAN" } as const satisfies ColumnType;
export const INTEGER = integer("INTEGER");
export const BIGINT = integer("BIGINT");
export const HUGEINT = integer("HUGEINT");
export const DOUBLE = { kind: "float", type: "DOUBLE" } as const satisfies ColumnType;
export const VARCHAR = { kind: "text", type: "VARCHAR" } as const satisfies ColumnType;
export const DATE = { kind: "date", type: "DATE" } as const satisfies ColumnType;
export const TIMESTAMP = { kind: "timestamp", type: "TIMESTAMP" } as const satisfies ColumnType;
export const TIMESTAMP_TZ = { kind: "timestampTz", type: "TIMESTAMP WITH TIME ZONE" } as const satisfies ColumnType;
export const NULL = { kind: "null", type: "NULL" } as const satisfies ColumnType;

/** Reads the type of a dataset's column. */
export function columnType({ type, kind }: Pick<Column, "type" | "kind">): ColumnType {
  if (kind === "integer") return integer(type);
  if (kind === "decimal") {
    const [, width, scale] = /^DECIMAL\((\d+),\s*(\d+)\)$/.exec(type) ?? [];
    return decimal(Number(width ?? 18), Number(scale ?? 3));
  }
  return { kind, type };
}

/** The column of a result that has this type; an untyped NULL is an INTEGER, as engines have it. */
export function resultColumn(name: string, type: ColumnType): Column {
  return type.kind === "null" ? { name, type: "INTEGER", kind: "integer" } : { name, type: type.type, kind: type.kind };
}

export function isNumeric(type: ColumnType): boolean {
  return type.kind === "integer" || type.kind === "decimal" || type.kind === "float";
}

export function isTemporal(type: ColumnType): boolean {
  return type.kind === "date" || type.kind === "timestamp" || type.kind === "timestampTz";
}

/** The least and greatest value of an integer type. */
export function integerRange({ bits, signed }: IntegerType): { readonly min: bigint; readonly max: bigint } {
  return signed
    ? { min: -(1n << BigInt(bits - 1)), max: (1n << BigInt(bits - 1)) - 1n }
    : { min: 0n, max: (1n << BigInt(bits)) - 1n };
}

const ALIASES: Readonly<Record<string, ColumnType>> = {
  BOOLEAN,
  BOOL: BOOLEAN,
  TINYINT: integer("TINYINT"),
  SMALLINT: integer("SMALLINT"),
  INTEGER,
  INT: INTEGER,
  BIGINT,
  HUGEINT,
  UTINYINT: integer("UTINYINT"),
  USMALLINT: integer("USMALLINT"),
  UINTEGER: integer("UINTEGER"),
  UBIGINT: integer("UBIGINT"),
  UHUGEINT: integer("UHUGEINT"),
  FLOAT: { kind: "float", type: "FLOAT" },
  REAL: { kind: "float", type: "FLOAT" },
  DOUBLE,
  VARCHAR,
  TEXT: VARCHAR,
  STRING: VARCHAR,
  BLOB: { kind: "binary", type: "BLOB" },
  DATE,
  TIME: { kind: "time", type: "TIME" },
  TIMESTAMP,
  TIMESTAMP_S: { kind: "timestamp", type: "TIMESTAMP_S" },
  TIMESTAMP_MS: { kind: "timestamp", type: "TIMESTAMP_MS" },
  TIMESTAMP_NS: { kind: "timestamp", type: "TIMESTAMP_NS" },
  TIMESTAMPTZ: TIMESTAMP_TZ,
  "TIMESTAMP WITH TIME ZONE": TIMESTAMP_TZ,
  UUID: { kind: "other", type: "UUID" },
};

/** Reads the type that a client writes for a literal; undefined if there are no literals of such a type. */
export function literalType(text: string): ColumnType | undefined {
  const name = text.trim().replace(/\s+/g, " ").toUpperCase();
  const [, width, scale] = /^(?:DECIMAL|NUMERIC) ?\( ?(\d{1,2}) ?(?:, ?(\d{1,2}) ?)?\)$/.exec(name) ?? [];
  if (width === undefined) return Object.hasOwn(ALIASES, name) ? ALIASES[name] : undefined;
  const [digits, decimals] = [Number(width), Number(scale ?? 0)];
  return digits >= 1 && digits <= 38 && decimals <= digits ? decimal(digits, decimals) : undefined;
}

/** How many decimal digits the values of an integer type have at most. */
export function integerDigits(type: IntegerType): number {
  return integerRange(type).max.toString().length;
}

/**
 * The type in which values of both can be compared or listed together, exactly where there is one; undefined if the two have
 * nothing in common.
 */
export function commonType(a: ColumnType, b: ColumnType): ColumnType | undefined {
  if (a.kind === "null") return b;
  if (b.kind === "null" || a.type === b.type) return a;
  if (isNumeric(a) && isNumeric(b)) return commonNumber(a, b);
  // An enumeration or JSON is compared as text.
  if (a.kind === "text" && b.kind === "text") return VARCHAR;
  if (isTemporal(a) && isTemporal(b)) return commonTime(a, b);
  return undefined;
}

function commonTime(a: ColumnType, b: ColumnType): ColumnType {
  return a.kind === "timestampTz" || b.kind === "timestampTz" ? TIMESTAMP_TZ : TIMESTAMP;
}

function commonNumber(a: ColumnType, b: ColumnType): ColumnType {
  if (a.kind === "integer" && b.kind === "integer") return commonInteger(a, b);
  const [x, y] = [asDecimal(a), asDecimal(b)];
  if (x === undefined || y === undefined) return DOUBLE;
  const scale = Math.max(x.scale, y.scale);
  return decimal(Math.min(38, Math.max(x.width - x.scale, y.width - y.scale) + scale), scale);
}

function commonInteger(a: IntegerType, b: IntegerType): IntegerType {
  if (a.signed === b.signed) return a.bits >= b.bits ? a : b;
  const [signed, unsigned] = a.signed ? [a, b] : [b, a];
  if (signed.bits > unsigned.bits) return signed;
  const wider = ["SMALLINT", "INTEGER", "BIGINT", "HUGEINT"].find((name) => (INTEGER_BITS[name] ?? 0) > unsigned.bits);
  // What doesn't fit is an error of the cast then.
  return integer(wider ?? "HUGEINT");
}

/** An exact number as a decimal; undefined for floats. */
export function asDecimal(type: ColumnType): DecimalType | undefined {
  if (type.kind === "decimal") return type;
  return type.kind === "integer" ? decimal(Math.min(38, integerDigits(type)), 0) : undefined;
}
