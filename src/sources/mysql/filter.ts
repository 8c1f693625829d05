import { DriverError } from "../../errors/driver-error.ts";
import { type FilterDialect, likePattern, renderFilter } from "../database/render-filter.ts";
import type { RowFilter } from "../row-filter.ts";
import { columnTypeOf, type FieldDefinition, type TypeOptions } from "./column-types.ts";
import { quoteName, quoteText } from "./sql.ts";

const NUMBER = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i;
const ESCAPE = "!";

/**
 * A filter as a condition. It means what it means for the loaded dataset: texts differ by each character, whatever the column's
 * collation makes equal. Throws UNKNOWN_COLUMN, INVALID_FILTER.
 */
export function conditionOf(filter: RowFilter, fields: readonly FieldDefinition[], options: TypeOptions): string {
  return renderFilter(filter, dialectOf(fields, options));
}

function dialectOf(fields: readonly FieldDefinition[], options: TypeOptions): FilterDialect {
  const byName = new Map(fields.map((field) => [field.name, field]));
  const typeOf = (name: string) => {
    const field = byName.get(name);
    return field === undefined ? undefined : columnTypeOf(field, options);
  };
  return {
    columnNames: fields.map(({ name }) => name),
    column: (name) => {
      const type = typeOf(name);
      const column = quoteName(name);
      return type?.form === "text" && type.warning === undefined ? exactText(column) : type && column;
    },
    value: (value, name) => {
      const type = typeOf(name);
      const invalid = (takes: string) =>
        new DriverError(
          "INVALID_FILTER",
          `the filter compares ${JSON.stringify(name)} with ${JSON.stringify(value)}: ${takes}`,
          {
            metadata: { column: name },
          },
        );
      switch (type?.form) {
        case "text":
          return type.warning === undefined ? exactText(quoteText(String(value))) : numberSql(value, invalid);
        case "plain":
          return type.type === "UUID" ? quoteText(String(value)) : numberSql(value, invalid);
        case "date":
        case "dateTime":
        case "timeOfDay":
          return quoteText(localTime(String(value), invalid));
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

const TIME = /^(\d{4}-\d\d-\d\d)?[T ]?(\d\d:\d\d(?::\d\d(\.\d{1,6})?)?)?(Z|[+-]\d\d(?::?\d\d)?)?$/i;

/** A date or a time as the servers write them. */
function localTime(text: string, invalid: (takes: string) => DriverError): string {
  const [whole, date, time, , offset] = TIME.exec(text.trim()) ?? [];
  if (!whole || offset !== undefined) throw invalid("the column takes dates or times without an offset");
  return [date, time].filter((part) => part !== undefined).join(" ");
}

/** An instant in UTC, as the session's time zone is. */
function utcTime(text: string, invalid: (takes: string) => DriverError): string {
  const [, date, time = "00:00:00", fraction = "", offset = "Z"] = TIME.exec(text.trim()) ?? [];
  if (date === undefined) throw invalid("the column takes instants: 2024-12-31T23:59:59Z");
  const zone = /^[+-]\d\d$/.test(offset) ? `${offset}:00` : offset.replace(/^([+-]\d\d)(\d\d)$/, "$1:$2");
  const at = Date.parse(`${date}T${time.replace(/\..*$/, "")}${zone.toUpperCase()}`);
  if (Number.isNaN(at)) throw invalid("the column takes instants: 2024-12-31T23:59:59Z");
  return `${new Date(at).toISOString().slice(0, 19).replace("T", " ")}${fraction}`;
}
