import type { Connection } from "../connection.ts";
import { type KnownScan, type ReadMode, readCsvSql, textName, typedColumns, valueName } from "./csv-scan.ts";
import { parserComplaint } from "./value-parsers.ts";

/** A value that does not fit the type which was declared for its column. */
export interface Misfit {
  /** The record's number among those that can be read, from 1. */
  readonly ordinal: number;
  readonly column: string;
  readonly type: string;
  readonly value: string;
  readonly reason: string;
  /** Whether a parser failed, rather than a type not fit. */
  readonly isParsed: boolean;
}

const MAX_VALUE = 200;

/** The first such values of one file, in its own order; `mode.ordered` names it. */
export async function misfitsOf(
  connection: Connection,
  scan: KnownScan,
  mode: ReadMode & { readonly ordered: string },
  limit: number,
  signal: AbortSignal,
): Promise<readonly Misfit[]> {
  const declared = typedColumns(scan, true).filter(({ column }) => column.origin === "declared");
  if (declared.length === 0) return [];
  const texts = declared.map(({ index }) => textName(index)).join(", ");
  const values = declared.map(({ value, index }) => `${value} AS ${valueName(index)}`).join(", ");
  const which = declared.map(({ violation }, at) => `WHEN ${violation} THEN ${at}`).join(" ");
  const text = declared.map(({ index }, at) => `WHEN ${at} THEN ${textName(index)}`).join(" ");
  const sql = `SELECT ordinal, misfit, CASE misfit ${text} END
    FROM (SELECT *, CASE ${which} END AS misfit
      FROM (SELECT row_number() OVER () AS ordinal, ${texts}, ${values} FROM ${readCsvSql(scan, mode)}))
    WHERE misfit IS NOT NULL ORDER BY ordinal LIMIT ${limit}`;
  const rows = await (await connection.run(sql, [], { signal })).getRows();
  const misfits: Misfit[] = [];
  for (const [ordinal, at, found] of rows) {
    const { column, index } = declared[Number(at)] ?? {};
    if (!column || index === undefined) continue;
    misfits.push({
      ...{ ordinal: Number(ordinal), column: column.name, type: column.type },
      ...{ value: String(found ?? "").slice(0, MAX_VALUE), isParsed: column.parser !== undefined },
      reason: column.parser
        ? await parserComplaint(connection, column, textName(index), found === null ? null : String(found), { signal })
        : `${JSON.stringify(String(found).slice(0, MAX_VALUE))} is no ${column.type}`,
    });
  }
  return misfits;
}
