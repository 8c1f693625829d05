import { DriverError } from "../../errors/driver-error.ts";
import { evenBounds, histogramBounds, rangeCondition, rangesOf } from "../database/ranges.ts";
import type { PostgresConnection } from "./connection.ts";
import { quoteText } from "./quoting.ts";
import type { OpenRelation, RelationColumn } from "./relation.ts";

/** Equal parts of a table's files; the last one takes what has been added since. Each part of a partitioned table has places of its own. */
export function placeConditions(blocks: number, parts: number): readonly string[] {
  const bounds = evenBounds(0n, BigInt(blocks), parts).map((block) => `'(${block},0)'::tid`);
  // No place is NULL, and a condition that speaks of it could not be answered by ranges.
  return rangesOf(bounds).map(({ from, to }) =>
    [...(from ? [`q.ctid >= ${from}`] : []), ...(to ? [`q.ctid < ${to}`] : [])].join(" AND "),
  );
}

/** Ranges of a column with about as many rows each. Throws INVALID_OPTION for a column without an order. */
export async function columnConditions(
  connection: PostgresConnection,
  relation: OpenRelation,
  column: RelationColumn,
  parts: number,
): Promise<readonly string[]> {
  const bounds =
    (await statisticsBounds(connection, relation, column, parts)) ??
    (await extremeBounds(connection, relation, column, parts)) ??
    (await shareBounds(connection, relation, column, parts));
  return rangesOf(bounds).map((range) => rangeCondition(column.sql, range));
}

/** From the histogram that ANALYZE has made; undefined where there is none. */
async function statisticsBounds(
  connection: PostgresConnection,
  { table }: OpenRelation,
  { sourceName }: RelationColumn,
  parts: number,
): Promise<readonly string[] | undefined> {
  if (table === undefined) return undefined;
  const rows = await connection.run(
    `SELECT pg_catalog.to_json(histogram_bounds::text::text[])::text FROM pg_catalog.pg_stats
     WHERE schemaname = $1 AND tablename = $2 AND attname = $3 AND histogram_bounds IS NOT NULL
     ORDER BY inherited DESC LIMIT 1`,
    [table.schema, table.name, sourceName],
  );
  const text = rows[0]?.[0];
  if (!text) return undefined;
  const bounds = histogramBounds(JSON.parse(text) as string[], parts);
  return bounds.length === 0 ? undefined : bounds.map(quoteText);
}

/** How a column's values are counted, and a count made a value again. */
const COUNTED: Readonly<
  Record<string, { readonly count: (sql: string) => string; readonly value: (n: bigint) => string }>
> = {
  ...Object.fromEntries(
    ["int2", "int4", "int8", "oid", "numeric", "float4", "float8"].map((name) => [
      name,
      { count: (sql: string) => `pg_catalog.floor(${sql}::numeric)`, value: (n: bigint) => `'${n}'` },
    ]),
  ),
  date: { count: (sql) => `(${sql} - DATE '2000-01-01')`, value: (n) => `(DATE '2000-01-01' + '${n}'::int)` },
  timestamp: {
    count: (sql) => `pg_catalog.floor(EXTRACT(epoch FROM ${sql})::numeric)`,
    value: (n) => `(TIMESTAMP '1970-01-01' + '${n} seconds'::interval)`,
  },
  timestamptz: {
    count: (sql) => `pg_catalog.floor(EXTRACT(epoch FROM ${sql})::numeric)`,
    value: (n) => `(TIMESTAMPTZ '1970-01-01 00:00:00+00' + '${n} seconds'::interval)`,
  },
};

/** Evenly between the least and the greatest value; undefined where values can't be counted, or are not finite. */
async function extremeBounds(
  connection: PostgresConnection,
  { from }: OpenRelation,
  { type, sql }: RelationColumn,
  parts: number,
): Promise<readonly string[] | undefined> {
  const counted = COUNTED[type.name];
  if (counted === undefined) return undefined;
  const [row] = await connection.run(`SELECT pg_catalog.min(${sql}), pg_catalog.max(${sql}) FROM ${from}`);
  const [least, greatest] = row ?? [];
  if (!least || !greatest) return [];
  if (/nan|inf/i.test(least + greatest)) return undefined;
  const [ends] = await connection.run(
    `SELECT ${counted.count(`v.a`)}::text, ${counted.count("v.b")}::text
     FROM (SELECT ${quoteText(least)}::${type.name} AS a, ${quoteText(greatest)}::${type.name} AS b) AS v`,
  );
  const [first, last] = (ends ?? []).map((end) => BigInt(String(end).replace(/\..*$/, "")));
  if (first === undefined || last === undefined) return undefined;
  return evenBounds(first, last, parts).map(counted.value);
}

/** By the rows' own order, for whatever can be ordered; reads and sorts them all. */
async function shareBounds(
  connection: PostgresConnection,
  { from }: OpenRelation,
  { name, type, sql }: RelationColumn,
  parts: number,
): Promise<readonly string[]> {
  const shares = Array.from({ length: parts - 1 }, (_, index) => (index + 1) / parts);
  try {
    const [row] = await connection.run(
      `SELECT pg_catalog.to_json((pg_catalog.percentile_disc(ARRAY[${shares.join(", ")}]::float8[])
         WITHIN GROUP (ORDER BY ${sql}))::text[])::text FROM ${from}`,
    );
    const found = row?.[0] ? (JSON.parse(row[0]) as (string | null)[]) : [];
    return [...new Set(found)].filter((bound) => bound !== null).map(quoteText);
  } catch (error) {
    if (!(error instanceof DriverError) || error.metadata.sqlState !== "42883") throw error;
    throw new DriverError(
      "INVALID_OPTION",
      `option partitionColumn: ${JSON.stringify(name)} (${type.name}) has no order`,
      {
        metadata: { option: "partitionColumn", column: name },
        cause: error,
      },
    );
  }
}
