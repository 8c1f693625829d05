import type { ColumnBatch } from "../connector.ts";
import type { PostgresConnection, Row } from "./connection.ts";

const BATCH_BYTES = 1 << 20;
const FIRST_ROWS = 100;
const MAX_ROWS = 10_000;

/** The rows of a statement by a cursor, column by column, in batches of about a megabyte. */
export async function* rowBatches(connection: PostgresConnection, sql: string): AsyncGenerator<ColumnBatch> {
  for await (const rows of connection.rows(sql, nextCount)) {
    const width = rows[0]?.length ?? 0;
    const columns = Array.from({ length: width }, (_, at) => rows.map((row) => row[at] ?? null));
    yield { rows: rows.length, columns };
  }
}

/** As many rows as would have made a batch of the last ones. */
function nextCount(last: readonly Row[]): number {
  if (last.length === 0) return FIRST_ROWS;
  const bytes = last.reduce((sum, row) => row.reduce((all, value) => all + (value?.length ?? 0), sum + row.length), 0);
  return Math.max(1, Math.min(MAX_ROWS, Math.floor((BATCH_BYTES * last.length) / Math.max(1, bytes))));
}
