import type { SqlTable } from "../../engine.ts";
import type { TableReference } from "./select-check.ts";
import { placeOf, sqlError } from "./sql-error.ts";

const QUOTED = /"(?:[^"]|"")*"/y;
// Every character above U+007F may be part of a name for the engine.
const PLAIN = /[A-Za-z_\u0080-\u{10FFFF}][\w$\u0080-\u{10FFFF}]*/uy;

/**
 * Finds where the names of tables stand in the text; `references` are in the order of the text. Throws SQL_FORBIDDEN where there
 * is no plain or quoted name.
 */
export function findTableNames(sql: string, references: readonly TableReference[]): readonly SqlTable[] {
  const bytes = Buffer.from(sql, "utf8");
  let [atByte, at] = [0, 0];
  return references.map(({ dataset, byteOffset, hasAlias }) => {
    at += bytes.subarray(atByte, byteOffset).toString("utf8").length;
    atByte = byteOffset;
    const token = tokenAt(sql, at);
    if (token === undefined || nameOf(token) !== dataset)
      throw sqlError(
        "SQL_FORBIDDEN",
        `the table ${dataset} must be a name, plain or in double quotes`,
        {},
        placeOf(sql, byteOffset),
      );
    return { dataset, start: at, end: at + token.length, hasAlias };
  });
}

function tokenAt(sql: string, start: number): string | undefined {
  const pattern = sql[start] === '"' ? QUOTED : PLAIN;
  pattern.lastIndex = start;
  return pattern.exec(sql)?.[0];
}

function nameOf(token: string): string {
  return token.startsWith('"') ? token.slice(1, -1).replaceAll('""', '"') : token;
}

/** The text with every table name replaced by what `relation` gives for it, under the name that it had. */
export function replaceTableNames(
  sql: string,
  tables: readonly SqlTable[],
  relation: (table: SqlTable, index: number) => string,
  quote: (name: string) => string,
): string {
  const parts: string[] = [];
  let end = 0;
  for (const [index, table] of tables.entries()) {
    parts.push(sql.slice(end, table.start), relation(table, index));
    if (!table.hasAlias) parts.push(` AS ${quote(table.dataset)}`);
    end = table.end;
  }
  parts.push(sql.slice(end));
  return parts.join("");
}
