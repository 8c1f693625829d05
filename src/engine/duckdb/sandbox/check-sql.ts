import type { CheckedSql, SqlDefinitions, SqlTable } from "../../engine.ts";
import type { Connection } from "../connection.ts";
import { definedNames, placesOfDefinitions, withDefinitions } from "./definitions.ts";
import { isSameTree } from "./same-tree.ts";
import { SelectCheck, type TableReference } from "./select-check.ts";
import { placeOf, sqlError } from "./sql-error.ts";
import { MAX_SQL_LENGTH, parseSelect, type SyntaxNode } from "./syntax-tree.ts";
import { findTableNames } from "./table-names.ts";
import { withPlainSpaces } from "./tokens.ts";

/**
 * Checks a user's SQL: exactly one SELECT whose syntax tree has only constructs, functions and types of the allow-lists and
 * whose tables are plain names. Throws SQL_INVALID or SQL_FORBIDDEN with the place. The connection parses; nothing is run.
 */
export async function checkSql(
  connection: Connection,
  text: string,
  options: { readonly signal: AbortSignal },
): Promise<CheckedSql> {
  const sql = withPlainSpaces(text.slice(0, MAX_SQL_LENGTH + 1));
  const tree = await parseSelect(connection, sql, options);
  const check = new SelectCheck(sql);
  check.run(tree);
  const references = check.tables.toSorted((a, b) => a.byteOffset - b.byteOffset);
  const tables = findTableNames(sql, references);
  const datasets = [...new Set(tables.map(({ dataset }) => dataset))];
  const definitions = await findDefinitions(connection, { sql, tree, references, tables, datasets }, options);
  return {
    sql,
    datasets,
    tables,
    definitions,
    placeholders: countPlaceholders(check.placeholders),
  };
}

interface Replacement {
  readonly sql: string;
  readonly tree: SyntaxNode;
  readonly references: readonly TableReference[];
  readonly tables: readonly SqlTable[];
  readonly datasets: readonly string[];
}

/**
 * Finds where the datasets can be defined, and proves that defining them there and replacing their names in the text changes the tables of
 * the tree and its definitions, and nothing else: a place that was misjudged (inside a comment, of another token) can never run. Stand-ins
 * are numbered, so each must be where it belongs.
 */
async function findDefinitions(
  connection: Connection,
  replacement: Replacement,
  options: { readonly signal: AbortSignal },
): Promise<SqlDefinitions> {
  const { sql, references, tables, datasets } = replacement;
  const [first, ...others] = placesOfDefinitions(sql);
  if (first === undefined || tables.length === 0) return { at: 0, opens: true, prefix: "" };
  for (const definitions of [first, ...others]) {
    const text = withDefinitions({ sql, tables, definitions }, (dataset) => `(SELECT ${datasets.indexOf(dataset)})`);
    const proof = await parseSelect(connection, text, options).catch(() => {
      options.signal.throwIfAborted();
      return undefined;
    });
    if (proof !== undefined && isProof(proof, definitions, replacement)) return definitions;
  }
  const [table] = references;
  throw sqlError(
    "SQL_FORBIDDEN",
    "a table is named in a way that is not allowed; write FROM with a plain name",
    {},
    table && placeOf(sql, table.byteOffset),
  );
}

function isProof(proof: SyntaxNode, definitions: SqlDefinitions, { tree, references, datasets }: Replacement): boolean {
  const names = definedNames(definitions, datasets);
  const stripped = withoutDefinitions(proof, [...names.values()]);
  const byPlace = new Map(references.map(({ byteOffset, dataset }) => [byteOffset, names.get(dataset)]));
  return stripped !== undefined && isSameTree(tree, stripped, (node) => standIn(node as SyntaxNode, byPlace));
}

/** The tree without these definitions, which must be its first, of `SELECT <number>`; undefined where they are not. */
function withoutDefinitions(tree: SyntaxNode, names: readonly string[]): SyntaxNode | undefined {
  const { node, ...rest } = tree as { readonly node?: SyntaxNode };
  const { cte_map: ctes, ...select } = node ?? {};
  const { map: entries, ...others } = (ctes ?? {}) as { readonly map?: unknown };
  if (!Array.isArray(entries) || Object.keys(others).length > 0) return undefined;
  const isOurs = names.every((name, index) => {
    const { key, value } = (entries[index] ?? {}) as { key?: unknown; value?: { query?: { node?: unknown } } };
    return key === name && isSameTree(value?.query?.node, selectOfNumber(index), nowhere);
  });
  if (!isOurs) return undefined;
  const own = entries.slice(names.length);
  return { ...rest, node: { ...select, ...(own.length > 0 && { cte_map: { map: own } }) } };
}

const nowhere = () => undefined;

function standIn(node: SyntaxNode, names: ReadonlyMap<number, string | undefined>): object | undefined {
  if (node.type !== "BASE_TABLE") return undefined;
  const name = names.get(Number(node.query_location));
  return name === undefined ? undefined : { alias: node.table_name, ...node, table_name: name };
}

/** The tree of `SELECT <number>`, as the engine writes it without what is empty. */
function selectOfNumber(number: number): object {
  return {
    type: "SELECT_NODE",
    select_list: [
      { class: "CONSTANT", type: "VALUE_CONSTANT", value: { type: { id: "INTEGER" }, is_null: false, value: number } },
    ],
    from_table: { type: "EMPTY" },
    aggregate_handling: "STANDARD_HANDLING",
  };
}

function countPlaceholders(numbers: ReadonlySet<number>): number {
  const count = numbers.size;
  for (let number = 1; number <= count; number++) {
    if (!numbers.has(number))
      throw sqlError("SQL_INVALID", `placeholders must be numbered without gaps; $${number} is missing`, {}, undefined);
  }
  return count;
}
