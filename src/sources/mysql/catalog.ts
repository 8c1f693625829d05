import type { SourceTable } from "../connector.ts";
import type { MysqlConnection } from "./connection.ts";
import { quoteText } from "./quoting.ts";

const PAGE = 1_000;
const SYSTEM = "'information_schema', 'mysql', 'performance_schema', 'sys'";

/** Tables and views of which the login sees anything, by name. */
export async function* listTables(connection: MysqlConnection): AsyncGenerator<SourceTable, void> {
  let after = "";
  for (;;) {
    const rows = await connection.run(
      `SELECT table_schema, table_name, table_type, table_rows, table_comment FROM information_schema.tables
       WHERE table_schema NOT IN (${SYSTEM}) AND table_type NOT IN ('SYSTEM VIEW', 'SEQUENCE', 'TEMPORARY') ${after}
       ORDER BY BINARY table_schema, BINARY table_name LIMIT ${PAGE}`,
    );
    for (const row of rows) yield tableOf(row);
    const [schema, name] = rows.at(-1) ?? [];
    if (rows.length < PAGE || schema == null || name == null) return;
    after = `AND (BINARY table_schema, BINARY table_name) > (BINARY ${quoteText(schema)}, BINARY ${quoteText(name)})`;
  }
}

function tableOf([schema, name, type, rows, comment]: readonly (string | null)[]): SourceTable {
  const isView = type === "VIEW";
  return {
    schema: schema ?? "",
    name: name ?? "",
    type: isView ? "view" : "table",
    ...(rows != null && { rows: Number(rows) }),
    // A view's comment is the word VIEW.
    ...(comment && !isView && { comment }),
  };
}
