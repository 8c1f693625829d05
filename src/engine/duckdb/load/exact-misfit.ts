import { DriverError } from "../../../errors/driver-error.ts";
import type { Connection } from "../connection.ts";
import { exactTexts, type KnownScan, readCsvSql } from "./csv-scan.ts";

/** Bounds the memory of one statement. */
const COLUMNS_AT_ONCE = 100;
const MAX_SHOWN = 100;

/** The first of a source's own columns that holds a text which is no value of its type. */
export async function exactMisfit(
  connection: Connection,
  scan: KnownScan,
  signal: AbortSignal,
): Promise<DriverError | undefined> {
  const { texts, values } = exactTexts(scan);
  for (let at = 0; at < values.length; at += COLUMNS_AT_ONCE) {
    const some = values.slice(at, at + COLUMNS_AT_ONCE);
    const examples = some.map(
      ({ text, value }) => `any_value(${text}) FILTER (WHERE ${text} IS NOT NULL AND TRY(${value}) IS NULL)`,
    );
    const result = await connection.run(`SELECT ${examples.join(", ")} FROM ${readCsvSql(texts)}`, [], { signal });
    const [row] = await result.getRows();
    const found = row?.findIndex((example) => typeof example === "string") ?? -1;
    const column = some[found]?.column;
    if (column === undefined) continue;
    const shown = JSON.stringify(String(row?.[found]).slice(0, MAX_SHOWN));
    return new DriverError(
      "LOAD_TYPE_MISMATCH",
      `column ${JSON.stringify(column.name)}: ${shown} can't be kept as ${column.type}`,
      { metadata: { column: column.name, type: column.type } },
    );
  }
  return undefined;
}
