import { suggest } from "../../config/suggest.ts";
import { DriverError } from "../../errors/driver-error.ts";
import type { SourceTable } from "../connector.ts";
import { joinName } from "../database/names.ts";
import type { PostgresConnection } from "./connection.ts";
import type { PgType } from "./types.ts";

/** A table as the server's catalogue has it. */
export interface PgTable {
  readonly oid: string;
  readonly schema: string;
  readonly name: string;
  /** `r` ordinary, `p` partitioned, `v` view, `m` materialized view, `f` foreign. */
  readonly kind: string;
  /** With all parts of a partitioned table; 0 for those that have no files. */
  readonly bytes: number;
  /** Of the largest file, where all rows lie in files and have their places there; else 0. */
  readonly blocks: number;
}

const READABLE_KINDS = "('r', 'p', 'v', 'm', 'f')";

/** Finds a table by its exact name. Throws SOURCE_NOT_FOUND with the nearest name. */
export async function findTable(
  connection: PostgresConnection,
  { schema, table }: { readonly schema: string | undefined; readonly table: string },
): Promise<PgTable> {
  const place = schema === undefined ? "pg_catalog.pg_table_is_visible(c.oid)" : "n.nspname = $2";
  const from = `FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ${READABLE_KINDS} AND ${place}`;
  const [found] = await connection.run(
    `SELECT c.oid, n.nspname, c.relname, c.relkind ${from} AND c.relname = $1`,
    schema === undefined ? [table] : [table, schema],
  );
  if (found) {
    const [oid = "", ownSchema = "", name = "", kind = ""] = found.map(String);
    return { oid, schema: ownSchema, name, kind, ...(await sizeOf(connection, oid)) };
  }
  const names = await connection.run(
    `SELECT c.relname ${from.replace("$2", "$1")} ORDER BY 1 LIMIT 10000`,
    schema === undefined ? [] : [schema],
  );
  const shown = schema === undefined ? joinName(table) : joinName(schema, table);
  const near = suggest(
    table,
    names.map(([name]) => String(name)),
  );
  throw new DriverError("SOURCE_NOT_FOUND", `there is no table ${shown} that the login can see${near}`, {
    metadata: { table: shown },
  });
}

/** A table's size, with that of all tables that inherit from it or are its parts. */
async function sizeOf(connection: PostgresConnection, oid: string): Promise<Pick<PgTable, "bytes" | "blocks">> {
  const [row] = await connection.run(
    `WITH RECURSIVE part AS (
       SELECT oid, relkind FROM pg_catalog.pg_class WHERE oid = $1::pg_catalog.oid
       UNION ALL
       SELECT c.oid, c.relkind FROM part p JOIN pg_catalog.pg_inherits i ON i.inhparent = p.oid
         JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid)
     SELECT sum(pg_catalog.pg_table_size(oid)), max(pg_catalog.pg_relation_size(oid))
         / pg_catalog.current_setting('block_size')::pg_catalog.int8, bool_and(relkind IN ('r', 'p', 'm'))
     FROM part`,
    [oid],
  );
  const [bytes, blocks, inFiles] = row ?? [];
  return { bytes: Number(bytes ?? 0), blocks: inFiles === "t" ? Number(blocks ?? 0) : 0 };
}

/** What the catalogue says of types, by their ids; the elements of arrays among them. */
export async function findTypes(
  connection: PostgresConnection,
  ids: readonly number[],
): Promise<ReadonlyMap<number, PgType>> {
  if (ids.length === 0) return new Map();
  const name = (type: string, schema: string) =>
    `CASE WHEN ${schema}.nspname = 'pg_catalog' THEN ${type}.typname ELSE ${schema}.nspname || '.' || ${type}.typname END`;
  const rows = await connection.run(
    `SELECT t.oid, ${name("t", "tn")}, e.oid, ${name("e", "en")}
     FROM pg_catalog.pg_type t
     JOIN pg_catalog.pg_namespace tn ON tn.oid = t.typnamespace
     LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND t.typinput = 'pg_catalog.array_in'::pg_catalog.regproc
     LEFT JOIN pg_catalog.pg_namespace en ON en.oid = e.typnamespace
     WHERE t.oid IN (${[...new Set(ids)].map((id) => String(Number(id))).join(", ")})`,
  );
  return new Map(
    rows.map(([oid, typeName, elementOid, elementName]) => [
      Number(oid),
      {
        oid: Number(oid),
        name: typeName ?? "",
        ...(elementOid && elementName && { element: { oid: Number(elementOid), name: elementName } }),
      },
    ]),
  );
}

/** Tables and views that the login can read, by schema and name. */
export async function* listTables(connection: PostgresConnection): AsyncGenerator<SourceTable> {
  const batches = connection.rows(
    `SELECT n.nspname, c.relname, c.relkind, c.reltuples::pg_catalog.int8,
       pg_catalog.obj_description(c.oid, 'pg_class')
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ${READABLE_KINDS} AND n.nspname NOT IN ('pg_catalog', 'information_schema')
       AND n.nspname !~ '^pg_(toast|temp)' AND pg_catalog.has_any_column_privilege(c.oid, 'SELECT')
       AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
     ORDER BY 1, 2`,
    () => 1_000,
  );
  for await (const batch of batches)
    for (const [schema, name, kind, tuples, comment] of batch) {
      const rows = Number(tuples);
      yield {
        schema: schema ?? "",
        name: name ?? "",
        type: kind === "v" || kind === "m" ? "view" : "table",
        // -1 or, before version 14, 0 for a table that was never analysed.
        ...(rows > 0 && kind !== "v" && { rows }),
        ...(comment && { comment }),
      };
    }
}
