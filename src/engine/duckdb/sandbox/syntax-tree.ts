import type { Connection } from "../connection.ts";
import { quoteLiteral } from "../quoting.ts";
import { parsedSize } from "./case-growth.ts";
import { placeOf, placeOfCharacter, sqlError } from "./sql-error.ts";
import { MAX_TOKENS } from "./tokens.ts";

/** A node of the engine's syntax tree, as its JSON has it. Nothing in it is trusted. */
export type SyntaxNode = Readonly<Record<string, unknown>>;

/** Longer texts are refused unread. */
export const MAX_SQL_LENGTH = 1_000_000;

/** A larger tree is refused: parsing its JSON holds up the event loop (48 ms for 6.4 MB). */
const MAX_TREE_BYTES = 2_000_000;

/**
 * The engine's tokenizer needs time quadratic in the depth of nested comments (3,000: 0.6 s, 50,000: over a minute) and cubic
 * in the length of a run of plus and minus signs (1,000: 0.3 s, 40,000: over 20 s), and can't be interrupted meanwhile.
 * Two minus signs begin a comment, which ends such a run.
 */
const MAX_COMMENT_STARTS = 500;
const LONG_SIGN_RUN = /(?:\+|-(?!-)){33}/;

/**
 * A constant in the tree's JSON, with the comma after it. In a row of them only the first four and the last are kept: nothing is
 * asked of the others (rules for arguments look at the first three), and a list of 50,000 values comes as 1 kB instead of 6.4 MB.
 * Quotes inside of a text are escaped in JSON, so no text can look like this.
 */
const CONSTANT =
  '\\{"class":"CONSTANT","type":"VALUE_CONSTANT","query_location":\\d+,"value":' +
  '\\{"type":\\{"id":"[A-Z]+"\\},"is_null":false,"value":(?:-?\\d+|"[^"\\\\]*")\\}\\},';
const CONSTANTS = `((?:${CONSTANT}){4})(?:${CONSTANT})+`;

const TREE = "json_serialize_sql($1::VARCHAR, skip_null := true, skip_empty := true, skip_default := true)";
const PARSE = `SELECT CASE WHEN strlen(tree) <= 100_000 THEN tree END FROM (SELECT ${TREE} AS tree)`;
// Apart, as preparing the expression takes longer (2 ms) than everything else about a usual query.
const PARSE_LARGE = `
  SELECT CASE WHEN strlen(tree) <= ${MAX_TREE_BYTES} THEN tree END
  FROM (SELECT regexp_replace(${TREE}, ${quoteLiteral(CONSTANTS)}, '\\1', 'g') AS tree)`;

/** Parses one SELECT; the answer is its statement node. The text is bound, never part of a statement. */
export async function parseSelect(
  connection: Connection,
  sql: string,
  { signal }: { readonly signal: AbortSignal },
): Promise<SyntaxNode> {
  refuseUnreadable(sql);
  const json =
    (await firstValue(connection, PARSE, sql, signal)) ?? (await firstValue(connection, PARSE_LARGE, sql, signal));
  if (typeof json !== "string") throw invalid("the SELECT is too large; load long lists of values as a dataset");
  const tree = JSON.parse(json) as SyntaxNode;
  if (tree.error !== false) throw parseError(sql, tree);
  const statements = tree.statements;
  // A text without a statement leaves the list out, as all that is empty.
  if (!Array.isArray(statements) || statements.length === 0) throw invalid("there is no statement in the text");
  if (statements.length > 1)
    throw sqlError(
      "SQL_FORBIDDEN",
      `exactly one SELECT is allowed, the text has ${statements.length} statements`,
      {},
      undefined,
    );
  return statements[0] as SyntaxNode;
}

async function firstValue(connection: Connection, query: string, sql: string, signal: AbortSignal): Promise<unknown> {
  const result = await connection.run(query, [sql], { signal });
  const [row] = await result.getRows();
  return row?.[0];
}

function refuseUnreadable(sql: string): void {
  if (sql.length > MAX_SQL_LENGTH) throw invalid(`the SQL is longer than ${MAX_SQL_LENGTH} characters`);
  // The binding hands statements over as C strings: what follows a NUL would be checked but not run.
  const nul = sql.indexOf("\0");
  if (nul >= 0) throw invalidAt(sql, "the SQL holds the character U+0000", nul);
  // A lone surrogate has no UTF-8 form: what is checked would differ from what is said.
  if (!sql.isWellFormed()) throw invalid("the SQL is not well-formed Unicode");
  if (sql.split("/*").length > MAX_COMMENT_STARTS)
    throw invalid(`the SQL has more than ${MAX_COMMENT_STARTS - 1} comments`);
  const run = LONG_SIGN_RUN.exec(sql);
  if (parsedSize(sql, MAX_TOKENS) > MAX_TOKENS)
    throw invalid(`the SELECT is too large: more than ${MAX_TOKENS} tokens`);
  if (run) throw invalidAt(sql, "the SQL has more than 32 plus and minus signs in a row", run.index);
}

function parseError(sql: string, tree: SyntaxNode): Error {
  const message = String(tree.error_message);
  const place = tree.position === undefined ? undefined : placeOfCharacter(sql, Number(tree.position));
  if (tree.error_type === "parser") {
    const deep = /memory exhausted|expression depth/i.test(message);
    return sqlError("SQL_INVALID", deep ? "the SELECT is nested too deeply" : message, {}, place);
  }
  // "Only SELECT statements can be serialized": everything else the parser knows, PIVOT without IN among it.
  const what = /Only SELECT/.test(message) ? "the statement is not a plain SELECT; nothing else is allowed" : message;
  return sqlError("SQL_FORBIDDEN", what, {}, place);
}

function invalid(message: string): Error {
  return sqlError("SQL_INVALID", message, {}, undefined);
}

function invalidAt(sql: string, message: string, index: number): Error {
  return sqlError("SQL_INVALID", message, {}, placeOf(sql, Buffer.byteLength(sql.slice(0, index), "utf8")));
}
