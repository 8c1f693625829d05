import { DriverError } from "../../errors/driver-error.ts";
import { type FilterDialect, likePattern, renderFilter } from "../database/render-filter.ts";
import type { RowFilter } from "../row-filter.ts";
import { quoteName, quoteText } from "./quoting.ts";
import { isDay } from "./text-form.ts";
import { type ColumnType, columnTypeOf, type FieldDefinition, type TypeOptions } from "./types.ts";

const NUMBER = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i;
const ESCAPE = "!";

const WHOLE_NUMBER = /^U?(?:TINY|SMALL|BIG)?INT(?:EGER)?$/;

/**
 * A filter as a condition. It means what it means for the loaded dataset: texts differ by each character, whatever the column's
 * collation makes equal, and what is loaded as NULL is NULL. Throws UNKNOWN_COLUMN, INVALID_FILTER.
 */
export function conditionOf(
  filter: RowFilter,
  fields: readonly FieldDefinition[],
  options: TypeOptions,
  declared: Readonly<Record<string, string>> = {},
): string {
  return renderFilter(filter, dialectOf(fields, options, declared));
}

function dialectOf(
  fields: readonly FieldDefinition[],
  options: TypeOptions,
  declared: Readonly<Record<string, string>>,
): FilterDialect {
  const byName = new Map(fields.map((field) => [field.name, field]));
  const typeOf = (name: string) => {
    const field = byName.get(name);
    if (field === undefined) return undefined;
    const own = columnTypeOf(field, options);
    return Object.hasOwn(declared, name) ? declaredType(own, declared[name] ?? "", name) : own;
  };
  return {
    columnNames: fields.map(({ name }) => name),
    column: (name) => {
      const type = typeOf(name);
      if (type === undefined) return undefined;
      const column = Object.hasOwn(declared, name) && type.select ? type.select(quoteName(name)) : quoteName(name);
      if (type.form === "text" && type.warning === undefined) return exactText(column);
      return isDate(type) && options.zeroDates === "null" ? realDate(column) : column;
    },
    value: (value, name) => {
      const type = typeOf(name);
      const invalid = (takes: string) => refused(name, value, takes);
      switch (type?.form) {
        case "text":
          return type.warning === undefined ? exactText(quoteText(String(value))) : numberSql(value, invalid);
        case "plain":
          if (type.type === "UUID") return quoteText(String(value));
          return type.type === "FLOAT" ? floatSql(value, invalid) : numberSql(value, invalid);
        case "date":
        case "dateTime":
        case "timeOfDay":
          return quoteText(localTime(String(value), type.form, invalid));
        case "instant":
          return quoteText(utcTime(String(value), invalid));
        case "seconds":
          throw invalid("a filter on seconds of a TIME can't be pushed down; write a query");
        default:
          throw invalid("bytes can't be compared with a filter's value; write a query");
      }
    },
    textMatch: (match, column) => {
      if (typeOf(match.column)?.form !== "text")
        throw new DriverError("INVALID_FILTER", `${JSON.stringify(match.column)} is no text to be matched`, {
          metadata: { column: match.column },
        });
      const text = column.replace(EXACT, "$1");
      const pattern = quoteText(likePattern(match, ESCAPE));
      const cased = (sql: string) => (match.ignoreCase ? `LOWER(${sql})` : sql);
      return `${cased(text)} COLLATE utf8mb4_bin LIKE ${cased(pattern)} ESCAPE '${ESCAPE}'`;
    },
  };
}

const EXACT = /^CAST\((CONVERT\(.* USING utf8mb4\)) AS BINARY\)$/s;

/** A text as its bytes in UTF-8, whose order is that of the characters. */
function exactText(sql: string): string {
  return `CAST(CONVERT(${sql} USING utf8mb4) AS BINARY)`;
}

function numberSql(value: string | number | boolean, invalid: (takes: string) => DriverError): string {
  if (typeof value === "boolean") return value ? "1" : "0";
  const text = String(value).trim();
  if (!NUMBER.test(text)) throw invalid("the column takes numbers");
  return text;
}

/** Compared as DOUBLEs, of which a FLOAT's are some: 0.1 is the FLOAT next to it. */
function floatSql(value: string | number | boolean, invalid: (takes: string) => DriverError): string {
  const nearest = Math.fround(Number(numberSql(value, invalid)));
  return Number.isFinite(nearest) ? nearest.toExponential() : numberSql(value, invalid);
}

/** What a filter compares with where the type is declared, as far as the server can make the same of its values. */
function declaredType(own: ColumnType, declared: string, name: string): ColumnType {
  if (declared === own.type && own.warning === undefined) return own;
  if (declared === "VARCHAR" && own.form !== "binary") return { ...own, type: declared, form: "text" };
  const isNumber = own.warning !== undefined || (own.form === "plain" && !["UUID", "BOOLEAN"].includes(own.type));
  const scale = /^DECIMAL\(\d+,(\d+)\)$/.exec(declared)?.[1];
  if (isNumber && scale !== undefined)
    return { type: declared, form: "plain", select: (column) => `ROUND(${column}, ${scale})` };
  if (isNumber && (declared === "DOUBLE" || (WHOLE_NUMBER.test(declared) && WHOLE_NUMBER.test(own.type))))
    return { type: declared, form: "plain", ...(own.select && { select: own.select }) };
  if (/^TIMESTAMP(?: WITH TIME ZONE)?$/.test(declared) && (own.form === "dateTime" || own.form === "instant"))
    return { type: declared, form: "instant" };
  throw new DriverError(
    "INVALID_FILTER",
    `the filter names ${JSON.stringify(name)}, which is declared as ${declared} and no such column in the database; write a query`,
    { metadata: { column: name } },
  );
}

function refused(column: string, value: string | number | boolean, takes: string): DriverError {
  return new DriverError(
    "INVALID_FILTER",
    `the filter compares ${JSON.stringify(column)} with ${JSON.stringify(value)}: ${takes}`,
    { metadata: { column } },
  );
}

function isDate({ form }: ColumnType): boolean {
  return form === "date" || form === "dateTime" || form === "instant";
}

/** NULL for a date that no calendar has, as it is loaded. */
function realDate(column: string): string {
  return `IF(LAST_DAY(${column}) IS NULL OR DAY(${column}) NOT BETWEEN 1 AND DAY(LAST_DAY(${column})), NULL, ${column})`;
}

const TIME = /^(\d{4}-\d\d-\d\d)?[T ]?((?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(\.\d{1,6})?)?)?(Z|[+-]\d\d(?::?\d\d)?)?$/i;

/** A date or a time as the servers write them. */
function localTime(
  text: string,
  form: "date" | "dateTime" | "timeOfDay",
  invalid: (takes: string) => DriverError,
): string {
  const [whole, date, time, , offset] = TIME.exec(text.trim()) ?? [];
  if (!whole || offset !== undefined) throw invalid("the column takes dates or times without an offset");
  if (form === "timeOfDay") {
    if (date !== undefined || time === undefined) throw invalid("the column takes times: 23:59:59");
    return time;
  }
  if (date === undefined || !isDay(...daysOf(date)))
    throw invalid("the column takes dates of the calendar: 2024-12-31");
  return [date, time].filter((part) => part !== undefined).join(" ");
}

function daysOf(date: string): [year: number, month: number, day: number] {
  return [Number(date.slice(0, 4)), Number(date.slice(5, 7)), Number(date.slice(8))];
}

/** An instant in UTC, as the session's time zone is. */
function utcTime(text: string, invalid: (takes: string) => DriverError): string {
  const [, date, time = "00:00:00", fraction = "", offset = "Z"] = TIME.exec(text.trim()) ?? [];
  if (date === undefined || !isDay(...daysOf(date))) throw invalid("the column takes instants: 2024-12-31T23:59:59Z");
  const zone = /^[+-]\d\d$/.test(offset) ? `${offset}:00` : offset.replace(/^([+-]\d\d)(\d\d)$/, "$1:$2");
  const at = Date.parse(`${date}T${time.replace(/\..*$/, "")}${zone.toUpperCase()}`);
  if (Number.isNaN(at)) throw invalid("the column takes instants: 2024-12-31T23:59:59Z");
  return `${new Date(at).toISOString().slice(0, 19).replace("T", " ")}${fraction}`;
}
