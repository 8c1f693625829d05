import { declaredColumnOptions, sharedSettings } from "../common-options.ts";
import { invalidOption, type OptionValues } from "../option-values.ts";
import type { OptionSchema } from "../options.ts";
import { parserOptions, parsersOf } from "../parsers/options.ts";
import { splitName } from "./names.ts";

const MAX_PARTITIONS = 256;

/** What a source in any kind of database can be told. */
export const databaseOptions = {
  table: {
    type: "string",
    doc: "The table or view to load; a `#table` at the end of the URL says the same. Names are taken as they are, `schema.table` is split at the point, and a name that holds one stands in double quotes.",
    example: "sales.orders",
  },
  schema: {
    type: "string",
    doc: "The schema of `table`, which is then taken whole.",
    default: "the one in `table`, else where the server looks for it",
  },
  query: {
    type: "string",
    doc: "A SELECT in the database's own SQL, in place of `table`. It runs in a read-only transaction with the rights of the login.",
    example: "SELECT * FROM orders WHERE year = 2024",
  },
  partitionColumn: {
    type: "string",
    doc: "A column of numbers, dates or keys, by whose ranges several connections read at once. Ranges come from the database's statistics; NULLs are in the first one.",
    default: "chosen for tables; none for queries",
  },
  partitions: {
    type: "integer",
    doc: `Into how many parts the source is cut: 1 to ${MAX_PARTITIONS}. No more are made than there are workers to read them.`,
    default: "by the size of the table; 1 for queries without `partitionColumn`",
  },
  ...declaredColumnOptions,
  ...parserOptions,
} as const satisfies OptionSchema;

/** What is read: a table with its schema, or a query. */
export type Relation =
  | { readonly kind: "table"; readonly schema: string | undefined; readonly table: string }
  | { readonly kind: "query"; readonly query: string };

/** What the options of a source in a database say. */
export interface DatabaseSettings extends ReturnType<typeof sharedSettings> {
  /** Undefined before a table is chosen: enough to test a source and to list tables. */
  readonly relation: Relation | undefined;
  readonly partitionColumn: string | undefined;
  readonly partitions: number | undefined;
}

/** Throws INVALID_OPTION where values can't be used or contradict each other. */
export function databaseSettingsOf(values: OptionValues): DatabaseSettings {
  const partitions = values.integer("partitions");
  if (partitions !== undefined && (partitions < 1 || partitions > MAX_PARTITIONS))
    throw invalidOption("partitions", partitions, `from 1 to ${MAX_PARTITIONS}`);
  parsersOf(values);
  return {
    ...sharedSettings(values),
    relation: relationOf(values),
    partitionColumn: values.text("partitionColumn"),
    partitions,
  };
}

function relationOf(values: OptionValues): Relation | undefined {
  const table = values.text("table");
  const schema = values.text("schema");
  const query = values.text("query");
  if (query !== undefined) {
    if (table !== undefined) throw invalidOption("query", query, "of use together with a table");
    if (schema !== undefined) throw invalidOption("schema", schema, "of use together with a query");
    const trimmed = query.replace(/[\s;]+$/, "");
    if (trimmed === "") throw invalidOption("query", query, "a SELECT");
    return { kind: "query", query: trimmed };
  }
  if (table === undefined) {
    if (schema !== undefined) throw invalidOption("schema", schema, "of use without a table");
    return undefined;
  }
  if (schema !== undefined) return { kind: "table", schema, table };
  const parts = splitName(table);
  if (parts === undefined || parts.length > 2)
    throw invalidOption("table", table, 'a table or schema.table; a name that holds a point stands in quotes: "a.b"');
  const [first = "", second] = parts;
  return second === undefined
    ? { kind: "table", schema: undefined, table: first }
    : { kind: "table", schema: first, table: second };
}
