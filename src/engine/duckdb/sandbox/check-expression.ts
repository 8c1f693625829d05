import { DriverError } from "../../../errors/driver-error.ts";
import type { Connection } from "../connection.ts";
import { functionGroups } from "./functions.ts";
import { SelectCheck } from "./select-check.ts";
import { sqlError } from "./sql-error.ts";
import { parseSelect, type SyntaxNode } from "./syntax-tree.ts";
import { withPlainSpaces } from "./tokens.ts";

/** What the raw text is called. */
export const RAW_TEXT = "value";

const BEFORE = "SELECT (";
// The line end ends a comment of the user's.
const AFTER = "\n)";

/** What looks at other rows, or makes several of one. */
const MANY_ROWS: ReadonlySet<string> = new Set([
  ...functionGroups.filter(({ title }) => title === "Aggregates" || title === "Windows").flatMap(({ names }) => names),
  ...["unnest", "generate_subscripts", "regexp_split_to_table"],
]);

/** Expressions that are more than a computation with values. */
const FORBIDDEN: Readonly<Record<string, string>> = {
  SUBQUERY: "a subquery",
  WINDOW: "a window",
  PARAMETER: "a placeholder",
  STAR: "a star",
  POSITIONAL_REFERENCE: "a positional reference",
};

/**
 * Checks a user's SQL expression over one text, `value`: the functions, types and constructs of queries, without anything that
 * names a table, looks at other rows or makes rows. Answers the text as it may be put between parentheses.
 */
export async function checkExpression(
  connection: Connection,
  text: string,
  options: { readonly signal: AbortSignal },
): Promise<string> {
  const expression = withPlainSpaces(text);
  const sql = `${BEFORE}${expression}${AFTER}`;
  try {
    const tree = await parseSelect(connection, sql, options);
    const check = new SelectCheck(sql);
    check.run(tree);
    requireExpression(tree.node);
    return `${expression}\n`;
  } catch (error) {
    throw inExpression(error);
  }
}

function requireExpression(query: unknown): void {
  const { type, select_list: items, from_table: from, aggregate_handling: _, ...others } = query as SyntaxNode;
  const isEmpty = from === undefined || (from as SyntaxNode).type === "EMPTY";
  const isOne = type === "SELECT_NODE" && Array.isArray(items) && items.length === 1;
  if (!isOne || !isEmpty || Object.keys(others).length > 0)
    throw sqlError("SQL_FORBIDDEN", "a value parser is one expression, not a statement", {}, undefined);
  const nodes = [...nodesOf(items[0])];
  const names = new Set([RAW_TEXT, ...nodes.flatMap((node) => (node.class === "LAMBDA" ? namesOf(node.lhs) : []))]);
  for (const node of nodes) requireHarmless(node, names);
}

function requireHarmless(node: SyntaxNode, names: ReadonlySet<string>): void {
  const what = FORBIDDEN[String(node.class)];
  if (what !== undefined) throw sqlError("SQL_FORBIDDEN", `a value parser can't hold ${what}`, {}, undefined);
  const called = String(node.function_name).toLowerCase();
  if (node.class === "FUNCTION" && MANY_ROWS.has(called))
    throw sqlError("SQL_FORBIDDEN", `a value parser can't call ${called}`, { function: called }, undefined);
  const [column] = node.class === "COLUMN_REF" ? namesOf(node) : [];
  if (column !== undefined && !names.has(column))
    throw sqlError("SQL_INVALID", `there is no ${column}; the raw text is called ${RAW_TEXT}`, {}, undefined);
}

/** Every node of an expression, whatever field it is in. */
function* nodesOf(value: unknown): Generator<SyntaxNode> {
  if (typeof value !== "object" || value === null) return;
  if (!Array.isArray(value)) yield value as SyntaxNode;
  for (const part of Object.values(value)) yield* nodesOf(part);
}

/** The first names of columns; the parameters of a lambda are written as columns, or as a row of them. */
function namesOf(value: unknown): readonly string[] {
  return [...nodesOf(value)].flatMap(({ column_names: names }) =>
    Array.isArray(names) && names.length > 0 ? [String(names[0]).toLowerCase()] : [],
  );
}

/** The place as the user counts. */
function inExpression(error: unknown): unknown {
  if (!(error instanceof DriverError) || error.metadata.line === undefined) return error;
  const { line, column, offset } = error.metadata;
  if (line !== "1") return error;
  const place = { line: 1, column: Number(column) - BEFORE.length, offset: Number(offset) - BEFORE.length };
  const message = error.message.replace(/ \(line \d+, column \d+\)$/, "");
  return error.reason === "SQL_INVALID" || error.reason === "SQL_FORBIDDEN"
    ? sqlError(error.reason, message, error.metadata, place)
    : error;
}
