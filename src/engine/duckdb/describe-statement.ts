import {
  type DuckDBMaterializedResult,
  type DuckDBPreparedStatement,
  type DuckDBType,
  DuckDBTypeId,
} from "@duckdb/node-api";
import type { Statement } from "../engine.ts";
import type { Column } from "../types.ts";
import type { Connection } from "./connection.ts";
import { bind } from "./results/running-statement.ts";
import { columnFromType } from "./types/columns.ts";
import { uniqueNames } from "./types/unique-names.ts";

/** The columns that a statement would give. Nothing of it is computed. */
export async function describeStatement(connection: Connection, statement: Statement): Promise<readonly Column[]> {
  const { names, types } = await describeTypes(connection, statement);
  return names.map((name, index) => columnFromType(name, types[index] as DuckDBType));
}

interface Described {
  /** Each once. */
  readonly names: readonly string[];
  readonly types: readonly DuckDBType[];
}

/** The names and engine types of a statement's columns. */
export async function describeTypes(connection: Connection, statement: Statement): Promise<Described> {
  const prepared = await connection.raw.prepare(statement.text);
  try {
    if (eachColumn(prepared, (index) => prepared.columnTypeId(index)).includes(DuckDBTypeId.INVALID))
      return await describeWithValues(connection, statement);
    return {
      names: uniqueNames(eachColumn(prepared, (index) => prepared.columnName(index))),
      types: eachColumn(prepared, (index) => prepared.columnType(index)),
    };
  } finally {
    prepared.destroySync();
  }
}

/**
 * A column that is a bare parameter has a type only when the statement runs with its values. DESCRIBE tells the names as they
 * are but types as text only; with LIMIT 0 there are types and nothing to compute, but repeated names are changed.
 */
async function describeWithValues(connection: Connection, { text, parameters }: Statement): Promise<Described> {
  const described = await runWith(connection, `DESCRIBE ${text}`, parameters);
  const names = (await described.getRows()).map(([name]) => String(name));
  const empty = await runWith(connection, `SELECT * FROM (${text}\n) LIMIT 0`, parameters);
  return { names: uniqueNames(names), types: empty.columnTypes() };
}

async function runWith(
  connection: Connection,
  text: string,
  parameters: Statement["parameters"],
): Promise<DuckDBMaterializedResult> {
  const prepared = await connection.raw.prepare(text);
  try {
    bind(prepared, parameters);
    return await prepared.run();
  } finally {
    prepared.destroySync();
  }
}

function eachColumn<T>(prepared: DuckDBPreparedStatement, read: (index: number) => T): T[] {
  return Array.from({ length: prepared.columnCount }, (_, index) => read(index));
}
