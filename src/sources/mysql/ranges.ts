import type { Relation } from "../database/options.ts";
import { evenBounds, type Range, rangesOf } from "../database/ranges.ts";
import { invalidOption } from "../option-values.ts";
import { fieldNamed } from "./columns.ts";
import type { MysqlConnection } from "./connection.ts";
import { ProtocolType as Types } from "./protocol-types.ts";
import { quoteName, quoteText, relationSql } from "./quoting.ts";
import type { FieldDefinition } from "./types.ts";

/** Fewer rows are not worth a connection of their own. */
const PARTITION_ROWS = 250_000;
/** Halvings of the values' range for each bound; enough to be within a hundredth of most ranges. */
const MAX_STEPS = 24;
/** A part may differ from the others by this share of it. */
const TOLERANCE = 0.1;

/** Columns of EXPLAIN in MariaDB; MySQL has two more. */
const MARIADB_EXPLAIN = 10;

type Table = Omit<Extract<Relation, { readonly kind: "table" }>, "kind">;

/** How many parts a table of so many rows is worth. */
export function partsFor(rows: number | undefined): number {
  return rows === undefined ? 1 : Math.max(1, Math.floor(rows / PARTITION_ROWS));
}

/** How a column's values are whole numbers, in the order of the column. */
interface Scale {
  /** The number of a value's text; undefined for one that the calendar does not have. */
  numberOf(text: string): bigint | undefined;
  /** The SQL of a number's value. */
  sql(value: bigint): string;
}

const DAY_MS = 86_400_000n;
const WHOLE: Scale = {
  numberOf: (text) => (/^-?\d+/.test(text) ? BigInt(/^-?\d+/.exec(text)?.[0] ?? 0) : undefined),
  sql: String,
};
const DAYS: Scale = {
  numberOf: (text) => milliseconds(`${text.slice(0, 10)}T00:00:00Z`, DAY_MS),
  sql: (value) => quoteText(new Date(Number(value * DAY_MS)).toISOString().slice(0, 10)),
};
const SECONDS: Scale = {
  numberOf: (text) => milliseconds(`${text.slice(0, 19).replace(" ", "T")}Z`, 1_000n),
  sql: (value) => quoteText(new Date(Number(value) * 1_000).toISOString().slice(0, 19).replace("T", " ")),
};

function milliseconds(iso: string, unit: bigint): bigint | undefined {
  const time = Date.parse(iso);
  return Number.isNaN(time) ? undefined : BigInt(time) / unit;
}

const ENUM_OR_SET_FLAGS = 256 | 2048;

function scaleOf({ type, flags }: FieldDefinition): Scale | "text" | undefined {
  // They are in the order of their numbers, but compared as texts.
  if ((flags & ENUM_OR_SET_FLAGS) !== 0) return undefined;
  switch (type) {
    case Types.TINY:
    case Types.SHORT:
    case Types.INT24:
    case Types.LONG:
    case Types.LONGLONG:
    case Types.YEAR:
    case Types.NEWDECIMAL:
      return WHOLE;
    case Types.DATE:
      return DAYS;
    case Types.DATETIME:
    case Types.TIMESTAMP:
      return SECONDS;
    case Types.FLOAT:
    case Types.DOUBLE:
    case Types.TIME:
    case Types.BIT:
    case Types.JSON:
    case Types.GEOMETRY:
      return undefined;
    default:
      return "text";
  }
}

/** The column that the option names. Throws UNKNOWN_COLUMN, INVALID_OPTION. */
export function namedPartitionColumn(fields: readonly FieldDefinition[], name: string): FieldDefinition {
  const field = fieldNamed(fields, name, "partitionColumn");
  if (scaleOf(field) === undefined)
    throw invalidOption("partitionColumn", name, "a column of whole or decimal numbers, dates or texts");
  return field;
}

/** The first column of the primary key, where ranges can be made of it. */
export async function keyColumn(
  connection: MysqlConnection,
  table: Table,
  fields: readonly FieldDefinition[],
): Promise<FieldDefinition | undefined> {
  const [row] = await connection.run(
    `SELECT column_name FROM information_schema.statistics WHERE ${named(table)} AND index_name = 'PRIMARY' AND seq_in_index = 1`,
  );
  const field = fields.find(({ name }) => name === row?.[0]);
  return field !== undefined && scaleOf(field) !== undefined ? field : undefined;
}

/** What the server knows of a table without reading it. */
export interface TableFacts {
  /** About how many rows it has; undefined for views. */
  readonly rows: number | undefined;
  /** Whether a transaction sees it unchanged. */
  readonly hasSnapshots: boolean;
}

export async function tableFacts(connection: MysqlConnection, table: Table): Promise<TableFacts> {
  const [row] = await connection.run(
    `SELECT t.table_rows, t.table_type, e.transactions FROM information_schema.tables t LEFT JOIN information_schema.engines e ON e.engine = t.engine WHERE ${named(table).replace(/(?=table_(?:schema|name) =)/g, "t.")}`,
  );
  const [rows, type, transactions] = row ?? [];
  return { rows: rows == null ? undefined : Number(rows), hasSnapshots: type === "VIEW" || transactions === "YES" };
}

/**
 * Ranges with about as many rows each. The least and the greatest value come from the column, what lies between from what the
 * server expects of a range: EXPLAIN dives into the index. Without one, the values are cut into equal lengths.
 */
export async function columnRanges(
  connection: MysqlConnection,
  relation: Relation,
  field: FieldDefinition,
  count: number,
): Promise<readonly Range[]> {
  const scale = scaleOf(field);
  const from = relationSql(relation);
  const column = quoteName(field.name);
  if (scale === undefined || count < 2) return rangesOf([]);
  if (scale === "text") return rangesOf(await textBounds(connection, from, field, count));
  const [row] = await connection.run(`SELECT MIN(${column}), MAX(${column}) FROM ${from}`);
  const [first, last] = [row?.[0], row?.[1]].map((text) => (text == null ? undefined : scale.numberOf(text)));
  if (last === undefined) return rangesOf([]);
  // Zero dates lie before all others, in the first range.
  const least = first ?? scale.numberOf("1000-01-01 00:00:00") ?? 0n;
  const even = evenBounds(least, last, count);
  const index = relation.kind === "table" ? await indexOn(connection, relation, field.name) : undefined;
  if (even.length === 0 || index === undefined) return rangesOf(even.map((bound) => scale.sql(bound)));
  const forced = `${from} FORCE INDEX (${quoteName(index)})`;
  const shareBelow = async (bound: bigint) => {
    const below = await expectedRows(connection, forced, `${column} < ${scale.sql(bound)}`);
    const above = await expectedRows(connection, forced, `${column} >= ${scale.sql(bound)}`);
    // Both, because InnoDB expects no more than half of the table of any range.
    return below + above === 0 ? 0.5 : below / (below + above);
  };
  const bounds: bigint[] = [];
  for (let part = 1; part < count; part++) {
    const low = bounds.at(-1) ?? least;
    const bound = await search({ low, high: last, goal: part / count, tolerance: TOLERANCE / count }, shareBelow);
    if (bound > low) bounds.push(bound);
  }
  return rangesOf(bounds.map((bound) => scale.sql(bound)));
}

/** The value below which about the goal's share of the rows lies. */
async function search(
  range: { readonly low: bigint; readonly high: bigint; readonly goal: number; readonly tolerance: number },
  shareBelow: (bound: bigint) => Promise<number>,
): Promise<bigint> {
  let { low, high } = range;
  let middle = low + (high - low) / 2n;
  for (let step = 0; step < MAX_STEPS && high - low > 1n; step++) {
    const share = await shareBelow(middle);
    if (Math.abs(share - range.goal) <= range.tolerance) break;
    if (share < range.goal) low = middle;
    else high = middle;
    middle = low + (high - low) / 2n;
  }
  return middle;
}

/** The name of an index whose first column it is. */
async function indexOn(connection: MysqlConnection, table: Table, column: string): Promise<string | undefined> {
  const [row] = await connection.run(
    `SELECT index_name FROM information_schema.statistics WHERE ${named(table)} AND seq_in_index = 1 AND column_name = ${quoteText(column)} AND index_type = 'BTREE'`,
  );
  return row?.[0] ?? undefined;
}

/** How many rows the server expects. */
async function expectedRows(connection: MysqlConnection, from: string, condition: string): Promise<number> {
  const [row = []] = await connection.run(`EXPLAIN SELECT 1 FROM ${from} WHERE ${condition}`);
  // MariaDB: …, ref, rows, Extra. MySQL: …, ref, rows, filtered, Extra. Nothing but an Extra where no row can match.
  return Number(row.at(row.length === MARIADB_EXPLAIN ? -2 : -3) ?? 0);
}

/** Keys of text at equal distances, as the index has them. */
async function textBounds(connection: MysqlConnection, from: string, field: FieldDefinition, count: number) {
  const column = quoteName(field.name);
  const [row] = await connection.run(`SELECT COUNT(${column}) FROM ${from}`);
  const distance = Math.floor(Number(row?.[0] ?? 0) / count);
  const bounds: string[] = [];
  if (distance === 0) return bounds;
  const hex = field.binary ? `HEX(${column})` : `HEX(CONVERT(${column} USING utf8mb4))`;
  for (let part = 1; part < count; part++) {
    const rest = bounds.length === 0 ? `${column} IS NOT NULL` : `${column} >= ${bounds.at(-1)}`;
    const [found] = await connection.run(
      `SELECT ${hex} FROM ${from} WHERE ${rest} ORDER BY ${column} LIMIT 1 OFFSET ${distance}`,
    );
    if (found?.[0] == null) break;
    const bound = `${field.binary ? "" : "_utf8mb4 "}X'${found[0]}'`;
    if (bound === bounds.at(-1)) break;
    bounds.push(bound);
  }
  return bounds;
}

function named({ schema, table }: Table): string {
  return `table_schema = ${schema === undefined ? "DATABASE()" : quoteText(schema)} AND table_name = ${quoteText(table)}`;
}
