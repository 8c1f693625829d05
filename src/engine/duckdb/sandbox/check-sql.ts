import type { CheckedSql, SqlTable } from "../../engine.ts";
import type { Connection } from "../connection.ts";
import { quoteIdentifier } from "../quoting.ts";
import { isSameTree } from "./same-tree.ts";
import { SelectCheck, type TableReference } from "./select-check.ts";
import { placeOf, sqlError } from "./sql-error.ts";
import { MAX_SQL_LENGTH, parseSelect, type SyntaxNode } from "./syntax-tree.ts";
import { findTableNames, replaceTableNames } from "./table-names.ts";
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
  if (tables.length > 0) await proveReplacement(connection, { sql, tree, references, tables }, options);
  return {
    sql,
    datasets: [...new Set(tables.map(({ dataset }) => dataset))],
    tables,
    placeholders: countPlaceholders(check.placeholders),
  };
}

interface Replacement {
  readonly sql: string;
  readonly tree: SyntaxNode;
  readonly references: readonly TableReference[];
  readonly tables: readonly SqlTable[];
}

/**
 * Proves that replacing the names of the tables in the text changes the tables of the tree and nothing else: a place that was
 * misjudged (inside a comment, of another token) can never run. Stand-ins are numbered, so each must be where it belongs.
 */
async function proveReplacement(
  connection: Connection,
  { sql, tree, references, tables }: Replacement,
  options: { readonly signal: AbortSignal },
): Promise<void> {
  const replaced = replaceTableNames(sql, tables, (_, index) => `(SELECT ${index})`, quoteIdentifier);
  const proof = await parseSelect(connection, replaced, options).catch((error: unknown) => {
    options.signal.throwIfAborted();
    return { error };
  });
  const numbers = new Map(references.map(({ byteOffset }, index) => [byteOffset, index]));
  if (isSameTree(tree, proof, (node) => standIn(node as SyntaxNode, numbers))) return;
  const [first] = references;
  throw sqlError(
    "SQL_FORBIDDEN",
    "a table is named in a way that is not allowed; write FROM with a plain name",
    {},
    first && placeOf(sql, first.byteOffset),
  );
}

function standIn(node: SyntaxNode, numbers: ReadonlyMap<number, number>): object | undefined {
  if (node.type !== "BASE_TABLE") return undefined;
  const index = numbers.get(Number(node.query_location));
  if (index === undefined) return undefined;
  const { table_name: name, type: _, ...rest } = node;
  return { alias: name, ...rest, type: "SUBQUERY", subquery: { node: selectOfNumber(index) } };
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
