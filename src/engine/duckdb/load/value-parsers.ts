import { type DuckDBType, DuckDBTypeId } from "@duckdb/node-api";
import { DriverError } from "../../../errors/driver-error.ts";
import type { ScanColumn } from "../../file-scan.ts";
import type { Connection } from "../connection.ts";
import { checkExpression, RAW_TEXT } from "../sandbox/check-expression.ts";
import { typeText } from "../types/type-text.ts";
import { type KnownScan, textName } from "./csv-scan.ts";
import { macroName, PARSED, parserCall } from "./parser-sql.ts";

/**
 * Checks the SQL of the columns' parsers and makes macros of it, for this connection; answers the columns with the types that
 * come out. In a macro the raw text is an argument, so an expression can't reach anything else of the row.
 */
export async function prepareParsers<S extends KnownScan>(
  connection: Connection,
  scan: S,
  options: { readonly signal: AbortSignal },
): Promise<S> {
  if (scan.columns.every(({ parser }) => parser === undefined)) return scan;
  const columns: ScanColumn[] = [];
  for (const [index, column] of scan.columns.entries())
    columns.push(column.parser ? await prepared(connection, column, textName(index), options) : column);
  return { ...scan, columns };
}

async function prepared(
  connection: Connection,
  column: ScanColumn,
  text: string,
  options: { readonly signal: AbortSignal },
): Promise<ScanColumn> {
  try {
    const expression = await checkExpression(connection, column.parser?.sql ?? "", options);
    await connection.run(
      `CREATE OR REPLACE TEMP MACRO ${macroName(text)}(${RAW_TEXT}) AS (${expression})`,
      [],
      options,
    );
    const probe = `SELECT TRY({'${PARSED}': ${parserCall(column, text)}}).${PARSED} FROM (SELECT ''::VARCHAR AS ${text} WHERE false)`;
    const type = (await connection.run(probe, [], options)).columnType(0);
    requireStorable(type);
    return { ...column, type: column.parser?.declared ? column.type : typeText(type) };
  } catch (error) {
    options.signal.throwIfAborted();
    throw ofColumn(column.name, error);
  }
}

/** Types that segments keep as they are. */
const UNSTORABLE: ReadonlySet<DuckDBTypeId> = new Set([
  DuckDBTypeId.HUGEINT,
  DuckDBTypeId.UHUGEINT,
  DuckDBTypeId.BIGNUM,
  DuckDBTypeId.BIT,
  DuckDBTypeId.INTERVAL,
  DuckDBTypeId.UNION,
  DuckDBTypeId.ENUM,
  DuckDBTypeId.TIME_NS,
  DuckDBTypeId.TIME_TZ,
  DuckDBTypeId.SQLNULL,
  DuckDBTypeId.ANY,
]);

function requireStorable(type: DuckDBType): void {
  const inner = type as {
    readonly valueType?: DuckDBType;
    readonly keyType?: DuckDBType;
    readonly entryTypes?: readonly DuckDBType[];
  };
  if (UNSTORABLE.has(type.typeId))
    throw new DriverError("SQL_INVALID", `it makes values of type ${typeText(type)}, which can't be stored; cast them`);
  for (const part of [inner.valueType, inner.keyType, ...(inner.entryTypes ?? [])]) if (part) requireStorable(part);
}

const MAX_VALUE = 200;
const MAX_COMPLAINT = 300;

/** What the engine says of a text that a parser fails at. */
export async function parserComplaint(
  connection: Connection,
  column: ScanColumn,
  text: string,
  value: string | null,
  options: { readonly signal: AbortSignal },
): Promise<string> {
  const shown = value === null ? "NULL" : JSON.stringify(value.slice(0, MAX_VALUE));
  const failed = await connection
    .run(`SELECT ${parserCall(column, text)} FROM (SELECT $1::VARCHAR AS ${text})`, [value], options)
    .then(
      () => "",
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
  options.signal.throwIfAborted();
  const complaint = failed
    .split("\n")[0]
    ?.replace(/^[A-Za-z ]+ Error: /, "")
    .slice(0, MAX_COMPLAINT);
  return `the parser fails at ${shown}${complaint ? `: ${complaint}` : ""}`;
}

function ofColumn(name: string, error: unknown): unknown {
  if (error instanceof DriverError) {
    const { reason, message, metadata } = error;
    return new DriverError(reason, `the parser of column ${JSON.stringify(name)}: ${message}`, {
      metadata: { ...metadata, column: name },
      cause: error,
    });
  }
  const text = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
  return new DriverError("SQL_INVALID", `the parser of column ${JSON.stringify(name)}: ${text}`, {
    metadata: { column: name },
    cause: error,
  });
}
