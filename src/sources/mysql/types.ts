import { ProtocolType as Types } from "./protocol-types.ts";
import type { TextForm, ZeroDates } from "./text-form.ts";

/** What the protocol says of a column, of what the types depend on. */
export interface FieldDefinition {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly length: number;
  readonly decimals: number;
  readonly binary: boolean;
  /** `uuid`, `inet6`: what MariaDB tells besides. */
  readonly extendedType: string | undefined;
  readonly extendedFormat: string | undefined;
}

/** How TIME values become a column. */
export type Times = "time" | "seconds" | "text";

export interface TypeOptions {
  readonly zeroDates: ZeroDates;
  readonly times: Times;
}

/** A column's type in the dataset, and how its values come there. */
export interface ColumnType {
  readonly type: string;
  readonly form: TextForm;
  /** The SQL that makes the values, of the column's SQL; left out where that is it. */
  readonly select?: (column: string) => string;
  /** What the user should know. */
  readonly warning?: string;
}

const UNSIGNED_FLAG = 32;
/** `decimals` of a floating-point number without a fixed number of them. */
const NOT_FIXED = 31;
const MAX_DECIMAL_DIGITS = 38;

const INTEGERS: Readonly<Record<number, string>> = {
  [Types.TINY]: "TINYINT",
  [Types.SHORT]: "SMALLINT",
  [Types.INT24]: "INTEGER",
  [Types.LONG]: "INTEGER",
  [Types.LONGLONG]: "BIGINT",
};

const number = (type: string): ColumnType => ({ type, form: "plain" });
const text: ColumnType = { type: "VARCHAR", form: "text" };
/** Both servers shorten a FLOAT's text to 6 digits; as a DOUBLE it has all that tell it from its neighbours. */
const exactFloat = (column: string) => `(${column} + 0e0)`;

/** docs/source-types.md has this as a table. */
export function columnTypeOf(field: FieldDefinition, options: TypeOptions): ColumnType {
  const integer = INTEGERS[field.type];
  if (integer !== undefined) return number((field.flags & UNSIGNED_FLAG) === 0 ? integer : `U${integer}`);
  switch (field.type) {
    case Types.YEAR:
      return number("SMALLINT");
    case Types.FLOAT:
      return { ...number("FLOAT"), select: exactFloat };
    case Types.DOUBLE:
      return field.decimals === NOT_FIXED ? number("DOUBLE") : { ...number("DOUBLE"), select: exactFloat };
    case Types.NEWDECIMAL:
      return decimalType(field);
    case Types.BIT:
      return {
        ...number(field.length === 1 ? "BOOLEAN" : "UBIGINT"),
        select: (column) => `CAST(${column} AS UNSIGNED)`,
      };
    case Types.DATE:
    case Types.NEWDATE:
      return dateType("DATE", "date", options);
    case Types.DATETIME:
      return dateType("TIMESTAMP", "dateTime", options);
    case Types.TIMESTAMP:
      return dateType("TIMESTAMP WITH TIME ZONE", "instant", options);
    case Types.TIME:
      return timeType(field, options);
    case Types.JSON:
      return { type: "JSON", form: "text" };
    case Types.GEOMETRY:
      return { type: "BLOB", form: "binary" };
    default:
      return textType(field);
  }
}

function textType(field: FieldDefinition): ColumnType {
  if (field.extendedFormat === "json") return { type: "JSON", form: "text" };
  if (field.extendedType === "uuid") return number("UUID");
  if (field.binary && field.type !== Types.NULL) return { type: "BLOB", form: "binary" };
  return text;
}

function decimalType({ name, flags, length, decimals }: FieldDefinition): ColumnType {
  const digits = length - (decimals > 0 ? 1 : 0) - ((flags & UNSIGNED_FLAG) === 0 ? 1 : 0);
  if (digits <= MAX_DECIMAL_DIGITS) return number(`DECIMAL(${digits},${decimals})`);
  return {
    ...text,
    warning: `column ${JSON.stringify(name)}: DECIMAL(${digits},${decimals}) has more than ${MAX_DECIMAL_DIGITS} digits, so it is kept as text; declare its type to have numbers`,
  };
}

function dateType(type: string, form: TextForm, { zeroDates }: TypeOptions): ColumnType {
  return zeroDates === "text" ? text : { type, form };
}

function timeType({ decimals }: FieldDefinition, { times }: TypeOptions): ColumnType {
  if (times === "text") return text;
  // -838:59:59 to 838:59:59 are seven digits of seconds.
  return times === "seconds"
    ? { type: `DECIMAL(${7 + decimals},${decimals})`, form: "seconds" }
    : { type: "TIME", form: "timeOfDay" };
}
