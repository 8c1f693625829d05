import { uniqueNames } from "../../engine/text/unique-names.ts";
import { DriverError } from "../../errors/driver-error.ts";
import type { Relation } from "../database/options.ts";
import { findTable, findTypes, type PgTable } from "./catalog.ts";
import type { PostgresConnection } from "./connection.ts";
import { quoteName } from "./quoting.ts";
import type { PgType } from "./types.ts";

/** A column of what is read. */
export interface RelationColumn {
  /** The name in the dataset. */
  readonly name: string;
  readonly sourceName: string;
  readonly type: PgType;
  readonly modifier: number;
  /** SQL of it within `OpenRelation.from`. */
  readonly sql: string;
}

/** A table or a query whose columns are known. */
export interface OpenRelation {
  /** Undefined for queries. */
  readonly table: PgTable | undefined;
  /** What stands behind FROM. Its columns have names of our own, since those of a query may repeat. */
  readonly from: string;
  readonly columns: readonly RelationColumn[];
}

/** Looks up a table, or has the server check a query. Throws SOURCE_NOT_FOUND, SOURCE_QUERY_FAILED, INVALID_OPTION. */
export async function openRelation(connection: PostgresConnection, relation: Relation): Promise<OpenRelation> {
  const table = relation.kind === "table" ? await findTable(connection, relation) : undefined;
  if (relation.kind === "query") await requireOneSelect(connection, relation.query);
  const body =
    relation.kind === "query"
      ? `(\n${relation.query}\n)`
      : `${quoteName(table?.schema ?? "")}.${quoteName(relation.table)}`;
  const fields = (await connection.describe(`SELECT * FROM ${body} AS q`)) ?? [];
  if (fields.length === 0) throw new DriverError("EMPTY_SOURCE", "what is to be loaded has no columns");
  const types = await findTypes(
    connection,
    fields.map(({ dataTypeID }) => dataTypeID),
  );
  const names = uniqueNames(fields.map(({ name }) => name));
  const columns = fields.map(({ name, dataTypeID, dataTypeModifier }, index) => ({
    name: names[index] ?? name,
    sourceName: name,
    type: types.get(dataTypeID) ?? { oid: dataTypeID, name: "unknown" },
    modifier: dataTypeModifier,
    sql: `q.c${index}`,
  }));
  return { table, from: `${body} AS q(${columns.map((_, index) => `c${index}`).join(", ")})`, columns };
}

/**
 * Parsed alone, by the protocol that takes one statement: what passes can't close the brackets that it will stand in, nor
 * bring a second statement.
 */
async function requireOneSelect(connection: PostgresConnection, query: string): Promise<void> {
  if (query.includes("\0")) throw new DriverError("INVALID_OPTION", "option query: it holds the character U+0000");
  if ((await connection.describe(query)) === undefined)
    throw new DriverError("INVALID_OPTION", "option query: it gives no rows; a SELECT does", {
      metadata: { option: "query" },
    });
}
