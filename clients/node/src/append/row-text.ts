import { Buffer } from "node:buffer";
import { clientError } from "../errors.ts";

/** A value of a row: what JSON has, and what it lacks. */
export type AppendValue =
  | null
  | undefined
  | boolean
  | number
  | bigint
  | string
  | Date
  | Uint8Array
  | readonly AppendValue[]
  | { readonly [name: string]: AppendValue };

/** A row: values by column, or in the order of the option `columns`; or the JSON text of either. */
export type AppendRow = readonly AppendValue[] | { readonly [column: string]: AppendValue } | string;

/** The row's line. Throws INVALID_ARGUMENT. */
export function rowText(row: AppendRow): string {
  if (typeof row === "string") return `${row.replaceAll("\n", " ")}\n`;
  if (typeof row !== "object" || row === null)
    throw clientError(
      "INVALID_ARGUMENT",
      `a row must be an array, an object or the JSON text of one, not ${String(row)}`,
    );
  return `${valueText(row)}\n`;
}

/** Not JSON.stringify, which turns NaN into null and can't write bigint. */
function valueText(value: AppendValue): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value);
    case "number":
      return Number.isFinite(value) ? String(value) : `"${value}"`;
    case "boolean":
      return value ? "true" : "false";
    case "bigint":
      return `"${value}"`;
    case "undefined":
      return "null";
    case "object":
      return value === null ? "null" : objectText(value);
    default:
      throw clientError("INVALID_ARGUMENT", `a ${typeof value} is no value of a row`);
  }
}

function objectText(value: Exclude<AppendValue & object, null>): string {
  if (Array.isArray(value)) {
    let text = "[";
    for (let at = 0; at < value.length; at++) text += at === 0 ? valueText(value[at]) : `,${valueText(value[at])}`;
    return `${text}]`;
  }
  if (value instanceof Date) return JSON.stringify(value);
  if (value instanceof Uint8Array)
    return `"${Buffer.from(value.buffer, value.byteOffset, value.length).toString("base64")}"`;
  let text = "";
  for (const [name, member] of Object.entries(value)) {
    if (member === undefined) continue;
    text += `${text === "" ? "" : ","}${JSON.stringify(name)}:${valueText(member)}`;
  }
  return `{${text}}`;
}
