import { invalidOption, type OptionValues } from "../option-values.ts";
import type { OptionSchema } from "../options.ts";
import { parseXmlPath, type XmlPath } from "./xml-path.ts";

/** For kinds whose values come as text. */
export const parserOptions = {
  parsers: {
    type: "stringMap",
    doc: "What makes the values of columns whose raw text needs help, by the column's name: a SQL expression over `value`, `js:NAME`, or `xml(PATH)`; see [value parsers](#value-parsers). Columns with commas or equals signs in their parsers are better written one by one: `parsers.price=…`.",
    default: "none",
    example: "parsers.price=replace(value, ',', '.')::DECIMAL(18,2)",
  },
} as const satisfies OptionSchema;

/** What makes the value of a text. */
export type ValueParser =
  /** In the engine. */
  | { readonly kind: "sql"; readonly sql: string }
  /** A function of the administrator's modules. */
  | { readonly kind: "js"; readonly name: string }
  | { readonly kind: "xml"; readonly path: XmlPath };

/** A parser that needs rows: it runs in the worker, before the engine. */
export type RowParser = Exclude<ValueParser, { readonly kind: "sql" }>;

/** The parsers of a source, by where they run. */
export interface Parsers {
  /** By the column's name. */
  readonly sql: Readonly<Record<string, string>> | undefined;
  readonly rows: ReadonlyMap<string, RowParser>;
}

const MAX_PARSERS = 1_000;
const MAX_SQL_LENGTH = 10_000;
const NAME = /^[A-Za-z_$][\w$]*$/;

/** Takes the parsers out of the options. Throws INVALID_OPTION; what is wrong with SQL is found by the engine. */
export function parsersOf(values: OptionValues): Parsers {
  const given = Object.entries(values.map("parsers") ?? {});
  if (given.length > MAX_PARSERS) throw invalidOption("parsers", given.length, `at most ${MAX_PARSERS}`);
  const parsers = given.map(([column, text]) => [column, parserOf(column, text.trim())] as const);
  const sql = parsers.flatMap(([column, parser]) => (parser.kind === "sql" ? [[column, parser.sql] as const] : []));
  const rows = parsers.flatMap(([column, parser]) => (parser.kind === "sql" ? [] : [[column, parser] as const]));
  return { sql: sql.length === 0 ? undefined : Object.fromEntries(sql), rows: new Map(rows) };
}

function parserOf(column: string, text: string): ValueParser {
  const fail = (expected: string) => invalidOption("parsers", `${column}=${text}`, expected);
  if (text.startsWith("js:")) {
    const name = text.slice("js:".length).trim();
    if (!NAME.test(name)) throw fail("js: and the name of a function");
    return { kind: "js", name };
  }
  const inXml = /^xml\s*\((.*)\)$/is.exec(text)?.[1];
  if (inXml !== undefined) {
    const path = parseXmlPath(inXml);
    if (!path) throw fail("xml(PATH) with a path such as order/line/@sku, order/line[1] or order/line[]");
    return { kind: "xml", path };
  }
  if (text === "" || text.length > MAX_SQL_LENGTH)
    throw fail(`a SQL expression over value (at most ${MAX_SQL_LENGTH} characters), js:NAME or xml(PATH)`);
  return { kind: "sql", sql: text };
}
