import type { ColumnBatch, SourceValue } from "../connector.ts";
import { type FieldForm, isDay, isDayEnd } from "./text-form.ts";
import { noTimeOfDay, zeroDate } from "./value-error.ts";

/** Rows of values by mysql2's row parser into batches, as the fast way would write them. */
export function batchOf(rows: readonly (readonly unknown[])[], fields: readonly FieldForm[]): ColumnBatch {
  return {
    rows: rows.length,
    columns: fields.map((field, index) => rows.map((row) => exchanged(row[index], field))),
  };
}

function exchanged(value: unknown, field: FieldForm): SourceValue {
  if (typeof value !== "string") return (value ?? null) as SourceValue;
  switch (field.form) {
    case "date":
    case "dateTime":
      return dateOf(value, field);
    case "instant": {
      const date = dateOf(value, field);
      return date === null ? null : `${date}+00`;
    }
    case "timeOfDay":
      if (!/^(?:[01]\d|2[0-3]):/.test(value) && !isDayEnd(value)) throw noTimeOfDay(field.name, value);
      return value;
    case "seconds":
      return secondsOf(value);
    default:
      return value;
  }
}

function dateOf(text: string, { name, zeroDatesAreNull }: FieldForm): string | null {
  if (isDay(Number(text.slice(0, 4)), Number(text.slice(5, 7)), Number(text.slice(8, 10)))) return text;
  if (zeroDatesAreNull) return null;
  throw zeroDate(name, text);
}

function secondsOf(text: string): string {
  const [, sign = "", hours = "", minutes = "", seconds = "", fraction = ""] =
    /^(-?)(\d+):(\d\d):(\d\d)(\.\d+)?$/.exec(text) ?? [];
  return `${sign}${Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds)}${fraction}`;
}
