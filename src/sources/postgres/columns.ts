import { suggest } from "../../config/suggest.ts";
import type { ScanColumn } from "../../engine/file-scan.ts";
import { DriverError } from "../../errors/driver-error.ts";
import type { PostgresConnection } from "./connection.ts";
import type { PostgresSettings } from "./options.ts";
import type { OpenRelation, RelationColumn } from "./relation.ts";
import { castTarget, type Looked, lookedAt, lookOf, lookSql, lookWidth, type Mapping, mapType } from "./types.ts";

/** A column that is loaded, and the SQL that sends it. */
export interface LoadedColumn {
  readonly scan: ScanColumn;
  readonly sql: string;
}

export interface ChosenColumns {
  readonly columns: readonly LoadedColumn[];
  readonly warnings: readonly string[];
}

/** The columns to load, in their order. Throws UNKNOWN_COLUMN. */
export function keptColumns({ columns }: OpenRelation, settings: PostgresSettings): readonly RelationColumn[] {
  const names = columns.map(({ name }) => name);
  const byName = new Map(columns.map((column) => [column.name, column]));
  for (const [option, wanted] of [
    ["columns", settings.keep ?? []],
    ["types", Object.keys(settings.declaredTypes ?? {})],
    ["partitionColumn", settings.partitionColumn === undefined ? [] : [settings.partitionColumn]],
  ] as const) {
    const unknown = wanted.find((name) => !byName.has(name));
    if (unknown !== undefined)
      throw new DriverError(
        "UNKNOWN_COLUMN",
        `option ${option}: the source has no column ${JSON.stringify(unknown)}${suggest(unknown, names)}`,
        { metadata: { column: unknown } },
      );
  }
  return settings.keep ? settings.keep.flatMap((name) => byName.get(name) ?? []) : columns;
}

/** Chooses the columns' types; asks the rows of `from` (FROM and WHERE) where the catalogue alone does not tell. */
export async function chooseColumns(
  connection: PostgresConnection,
  kept: readonly RelationColumn[],
  declared: Readonly<Record<string, string>>,
  from: string,
): Promise<ChosenColumns> {
  const looked = await lookAt(
    connection,
    kept.filter(({ name }) => declared[name] === undefined),
    from,
  );
  const warnings: string[] = [];
  const columns = kept.map((column): LoadedColumn => {
    const { name, sourceName, type, modifier, sql } = column;
    const wanted = declared[name];
    const mapping =
      wanted === undefined ? mapType(type, modifier, looked.get(column)) : declaredMapping(wanted, column);
    if (mapping.warning !== undefined) warnings.push(`column ${JSON.stringify(name)}: ${mapping.warning}`);
    return {
      scan: {
        ...{ name, sourceName, type: mapping.type, origin: "exact" },
        ...(mapping.encoding && { encoding: mapping.encoding }),
      },
      sql: mapping.sql(sql),
    };
  });
  return { columns, warnings };
}

/** What a declared type makes of a column: the server converts, from text where it knows no other way. */
export function declaredSql(declared: string, { type, modifier, sql }: RelationColumn): string {
  const target = castTarget(declared);
  const own = mapType(type, modifier);
  const viaText = own.type === "VARCHAR" || type.element !== undefined || target === "uuid";
  return `${sql}${viaText || /^(date|time)/.test(target) ? "::text" : ""}::${target}`;
}

function declaredMapping(declared: string, column: RelationColumn): Mapping {
  // A cast would take the spaces off a char(n).
  if (declared === "VARCHAR") return { type: declared, sql: () => exactText(column) };
  const converted = declaredSql(declared, column);
  // Years before 1, as the engine writes them.
  const name = declared === "TIMESTAMP WITH TIME ZONE" ? "timestamptz" : declared === "DATE" ? "date" : "timestamp";
  const isTime = /^(date|timestamp)/.test(castTarget(declared));
  return {
    type: declared,
    sql: () => (isTime ? mapType({ oid: 0, name }, -1).sql(`(${converted})`) : converted),
  };
}

/** What writes values that a cast to text would change: char(n) without its spaces, 10.0.0.1 as 10.0.0.1/32. */
const WRITERS: Readonly<Record<string, string>> = { bpchar: "bpcharout", inet: "inet_out" };

/** The text of a column as it is loaded. */
export function exactText({ type, sql }: RelationColumn): string {
  const writer = WRITERS[type.name];
  return writer === undefined ? `${sql}::text` : `pg_catalog.textin(pg_catalog.${writer}(${sql}))`;
}

/** Aggregates in one statement; a table has at most 1,600 columns, a statement 1,664 results. */
const MAX_AGGREGATES = 1_000;

async function lookAt(
  connection: PostgresConnection,
  columns: readonly RelationColumn[],
  from: string,
): Promise<ReadonlyMap<RelationColumn, Looked>> {
  const looks = columns.flatMap((column) => {
    const look = lookOf(column.type, column.modifier);
    return look ? [{ column, look }] : [];
  });
  const found = new Map<RelationColumn, Looked>();
  for (let at = 0; at < looks.length; at += MAX_AGGREGATES / 5) {
    const some = looks.slice(at, at + MAX_AGGREGATES / 5);
    const aggregates = some.flatMap(({ column, look }) => lookSql(look, column.sql));
    const [row = []] = await connection.run(`SELECT ${aggregates.join(", ")} FROM ${from}`);
    let first = 0;
    for (const { column, look } of some) {
      const width = lookWidth(look);
      found.set(column, lookedAt(look, row.slice(first, first + width)));
      first += width;
    }
  }
  return found;
}
