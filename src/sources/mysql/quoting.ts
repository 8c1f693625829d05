import type { Relation } from "../database/options.ts";

/** An empty text is none of them: MariaDB may take '' for NULL. */
const PLAIN = /^[\w .:+-]+$/;

/** A name in backticks. */
export function quoteName(name: string): string {
  return `\`${name.replaceAll("`", "``")}\``;
}

/** A text that means the same in every `sql_mode`. */
export function quoteText(text: string): string {
  return PLAIN.test(text) ? `'${text}'` : `_utf8mb4 X'${Buffer.from(text).toString("hex")}'`;
}

/** What is read, as it stands behind FROM. */
export function relationSql(relation: Relation): string {
  // The line end is for a query that ends in a comment.
  if (relation.kind === "query") return `(${relation.query}\n) AS q`;
  const { schema, table } = relation;
  return schema === undefined ? quoteName(table) : `${quoteName(schema)}.${quoteName(table)}`;
}
