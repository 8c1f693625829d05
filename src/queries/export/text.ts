import type { Column, JsonValue } from "../../engine/types.ts";
import { XmlWriter } from "../../sources/xml/write-xml.ts";
import type { ExportLayout } from "./model.ts";

type Rows = readonly (readonly JsonValue[])[];

/** Writes rows of values, as docs/types.md gives them in JSON, as text. */
export interface TextWriter {
  begin(): string;
  rows(rows: Rows): string;
  end(): string;
}

export type TextLayout = Omit<ExportLayout, "format"> & { readonly format: "csv" | "tsv" | "json" | "jsonl" | "xml" };

export function textWriter(layout: TextLayout, columns: readonly Column[]): TextWriter {
  const names = columns.map(({ name }) => name);
  switch (layout.format) {
    case "csv":
      return delimited(layout, names, ",");
    case "tsv":
      return delimited(layout, names, "\t");
    case "json":
      return jsonArray(names);
    case "jsonl":
      return { begin: () => "", rows: (rows) => lines(rows, recordWriter(names)), end: () => "" };
    case "xml":
      return xml(layout, names);
  }
}

const IN_SCALARS = /^[\w.+-]$/;
const SCALAR = /^(?:true|false|[\d.e+-]+)$/;

/**
 * As RFC 4180 says, but for line feeds alone at line ends. NULL stands without quotes; a text that looks the same has them, as has
 * an empty one, so the two can be told apart.
 */
function delimited(
  { header = true, nullText = "", delimiter: asked }: TextLayout,
  names: readonly string[],
  usual: string,
): TextWriter {
  const delimiter = asked ?? usual;
  // Readers tend to trim what has spaces around it.
  const special = new RegExp(`^[\\s#]|\\s$|["\\r\\n${delimiter.replace(/[\\\]^-]/g, "\\$&")}]`);
  const quoted = (text: string) =>
    text === "" || text === nullText || special.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  // Numbers and booleans need a look only where they may hold the delimiter, or look like NULL.
  const mayCollide = IN_SCALARS.test(delimiter) || (nullText !== "" && SCALAR.test(nullText));
  const field = (value: JsonValue) => {
    if (value === null) return nullText;
    if (typeof value === "string") return quoted(value);
    if (typeof value === "object") return quoted(jsonText(value));
    return mayCollide ? quoted(scalarText(value)) : scalarText(value);
  };
  const line = (row: readonly JsonValue[]) => `${row.map(field).join(delimiter)}\n`;
  return { begin: () => (header ? line(names) : ""), rows: (rows) => lines(rows, line), end: () => "" };
}

function jsonArray(names: readonly string[]): TextWriter {
  const record = recordWriter(names);
  let first = true;
  return {
    begin: () => "[",
    rows(rows) {
      let text = "";
      for (const row of rows) {
        // The record ends its line; the comma begins the next one.
        text += `${first ? "\n" : ","}${record(row)}`;
        first = false;
      }
      return text;
    },
    end: () => "]\n",
  };
}

/** An object for a line. Built as text: as a JavaScript object, names that are numbers would come first. */
function recordWriter(names: readonly string[]): (row: readonly JsonValue[]) => string {
  const keys = names.map((name) => `${JSON.stringify(name)}:`);
  return (row) => `{${row.map((value, index) => keys[index] + jsonText(value)).join(",")}}\n`;
}

function xml({ root, record }: TextLayout, columns: readonly string[]): TextWriter {
  const writer = new XmlWriter({ columns, ...(root && { root }), ...(record && { record }) });
  return {
    begin: () => writer.begin(),
    rows: (rows) => lines(rows, (row) => writer.row(row)),
    end: () => writer.end(),
  };
}

function lines(rows: Rows, line: (row: readonly JsonValue[]) => string): string {
  let text = "";
  for (const row of rows) text += line(row);
  return text;
}

/** `JSON.stringify` would make 0 of -0. */
function jsonText(value: JsonValue): string {
  if (value === null || typeof value === "string") return JSON.stringify(value);
  if (typeof value !== "object") return scalarText(value);
  if (Array.isArray(value)) return `[${value.map(jsonText).join(",")}]`;
  const members = Object.entries(value as Readonly<Record<string, JsonValue>>);
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${jsonText(member)}`).join(",")}}`;
}

function scalarText(value: number | boolean): string {
  return Object.is(value, -0) ? "-0" : String(value);
}
