import { DriverError } from "../../errors/driver-error.ts";
import type { Partition, PlanOptions, Source, SourcePlan } from "../connector.ts";
import { has, type ServerVersion } from "./begin.ts";
import { chooseColumns, keptColumns } from "./columns.ts";
import type { PostgresConnection } from "./connection.ts";
import { filterSql, foldingFor, requireFilter } from "./filter.ts";
import type { PostgresSettings } from "./options.ts";
import { columnConditions, placeConditions } from "./ranges.ts";
import { type OpenRelation, openRelation, type RelationColumn } from "./relation.ts";

/** One statement's part of a load. */
export interface PostgresPartition extends Partition {
  readonly sql: string;
  readonly transfer: "copy" | "rows";
}

export interface PlanParts {
  readonly connection: PostgresConnection;
  readonly version: ServerVersion;
  readonly settings: PostgresSettings;
  readonly source: Source;
  readonly transfer: PostgresPartition["transfer"];
}

/** About as much as one worker reads in a second or two. */
const PARTITION_BYTES = 64 * 1024 * 1024;
const PREVIEW_ROWS = 1_000;

export interface PostgresPlan extends SourcePlan {
  readonly partitions: readonly PostgresPartition[];
}

/** Finds the columns, checks the filter and cuts what is to be read into parts. Runs in the transaction that reads. */
export async function planLoad(parts: PlanParts, options: PlanOptions): Promise<PostgresPlan> {
  const { connection, settings, source, transfer } = parts;
  if (settings.relation === undefined)
    throw new DriverError("INVALID_SOURCE", "a load from a database needs the option table or query");
  const relation = await openRelation(connection, settings.relation);
  const kept = keptColumns(relation, settings);
  const { filter } = source;
  const condition = filter && filterSql(relation, filter, settings.declaredTypes, await foldingFor(connection, filter));
  if (condition !== undefined) await requireFilter(connection, relation.from, condition);
  const limit = source.limit ?? (options.preview ? PREVIEW_ROWS : undefined);
  const looked = lookedRows(relation, kept, condition, options.preview ? limit : undefined);
  const { columns, warnings } = await chooseColumns(connection, kept, settings.declaredTypes ?? {}, looked);
  const select = (more?: string) =>
    selectSql(
      relation,
      columns.map(({ sql }) => sql),
      [condition, more],
      limit,
    );
  const whole = select();
  await connection.describe(whole);
  const estimatedRows = await estimate(parts, whole);
  const wanted = limit === undefined && !options.preview ? wantedParts(relation, settings, options) : 1;
  const conditions = wanted < 2 ? [] : await cut(parts, relation, wanted);
  const statements = conditions.length < 2 ? [whole] : conditions.map((part) => select(part));
  const shared = statements.length > 1 ? await exportSnapshot(connection, whole) : undefined;
  return {
    columns: columns.map(({ scan }) => scan),
    partitions: statements.map((sql) => ({ sql, transfer })),
    ...(shared && { shared }),
    totalBytes: 0,
    ...(estimatedRows !== undefined && { estimatedRows }),
    warnings,
  };
}

/** Other sessions see what this one sees, as long as its transaction lasts. `sql` is what they have to lock before it ends. */
async function exportSnapshot(connection: PostgresConnection, sql: string) {
  const [row] = await connection.run("SELECT pg_catalog.pg_export_snapshot()");
  return { snapshot: row?.[0] ?? "", server: await serverMark(connection), sql };
}

/** Tells one server from another, since the name of a snapshot may mean something else at each of them. */
export async function serverMark(connection: PostgresConnection): Promise<string> {
  const [row] = await connection.run("SELECT pg_catalog.pg_postmaster_start_time()");
  return row?.[0] ?? "";
}

function selectSql(
  { from }: OpenRelation,
  columns: readonly string[],
  conditions: readonly (string | undefined)[],
  limit: number | undefined,
): string {
  const where = conditions.filter((condition) => condition !== undefined);
  return [
    `SELECT ${columns.join(", ")} FROM ${from}`,
    ...(where.length > 0 ? [`WHERE ${where.map((each) => `(${each})`).join(" AND ")}`] : []),
    ...(limit === undefined ? [] : [`LIMIT ${limit}`]),
  ].join(" ");
}

/** What the choice of types has to look at: a preview's own rows, else all that the filter lets through. */
function lookedRows(
  { from }: OpenRelation,
  kept: readonly RelationColumn[],
  condition: string | undefined,
  limit: number | undefined,
): string {
  const where = condition === undefined ? "" : ` WHERE ${condition}`;
  if (limit === undefined) return `${from}${where}`;
  const columns = kept.map(({ sql }) => `${sql} AS ${sql.replace("q.", "")}`);
  return `(SELECT ${columns.join(", ")} FROM ${from}${where} LIMIT ${limit}) AS q`;
}

/** How many rows the server's planner expects; it checks the login's rights as well. */
async function estimate({ connection, version }: PlanParts, sql: string): Promise<number | undefined> {
  if (!has(version, "explainJson")) return undefined;
  const [row] = await connection.run(`EXPLAIN (FORMAT JSON) ${sql}`);
  const plan = JSON.parse(row?.[0] ?? "[]") as readonly { readonly Plan?: { readonly "Plan Rows"?: number } }[];
  return plan[0]?.Plan?.["Plan Rows"];
}

function wantedParts({ table }: OpenRelation, settings: PostgresSettings, { maxPartitions }: PlanOptions): number {
  const usual =
    table === undefined && settings.partitionColumn === undefined
      ? 1
      : settings.partitionColumn !== undefined && !table?.bytes
        ? maxPartitions
        : Math.ceil((table?.bytes ?? 0) / PARTITION_BYTES);
  return Math.max(1, Math.min(settings.partitions ?? usual, maxPartitions));
}

/** By the column that was named; else a table by places in its files, or by its key. */
async function cut(
  { connection, settings, version }: PlanParts,
  relation: OpenRelation,
  wanted: number,
): Promise<readonly string[]> {
  const { table, columns } = relation;
  const named = columns.find(({ name }) => name === settings.partitionColumn);
  if (named) return columnConditions(connection, relation, named, wanted);
  if (table === undefined) return [];
  if (table.blocks > 0 && has(version, "placeRanges")) return placeConditions(table.blocks, wanted);
  const key = await keyColumn(connection, relation);
  return key ? columnConditions(connection, relation, key, wanted) : [];
}

/** The first column of the primary key. */
async function keyColumn(
  connection: PostgresConnection,
  { table, columns }: OpenRelation,
): Promise<RelationColumn | undefined> {
  const rows = await connection.run(
    `SELECT a.attname FROM pg_catalog.pg_index i
     JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
     WHERE i.indrelid = $1::pg_catalog.oid AND i.indisprimary`,
    [table?.oid ?? "0"],
  );
  return columns.find(({ sourceName }) => sourceName === rows[0]?.[0]);
}
