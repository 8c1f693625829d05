import { DriverError } from "../../../errors/driver-error.ts";
import type { WriteOptions } from "../../engine.ts";
import type { FileScan, ScanColumn, SniffResult, WrittenSegments } from "../../file-scan.ts";
import { uniqueNames } from "../../text/unique-names.ts";
import type { Connection } from "../connection.ts";
import { quoteIdentifier, quoteLiteral } from "../quoting.ts";
import { typeText } from "../types/type-text.ts";
import { type KnownScan, keptColumns } from "./csv-scan.ts";
import { engineError } from "./engine-error.ts";
import { filterSql, limitSql } from "./rows-sql.ts";
import { writeSelect } from "./write-segments.ts";

/** Reads the footers: columns are told by the first file, and the others must have the same. */
export async function sniffParquet(
  connection: Connection,
  scan: FileScan,
  { signal }: { signal: AbortSignal },
): Promise<SniffResult> {
  const empty = scan.origins.find(({ bytes }) => bytes === 0);
  if (empty) throw new DriverError("EMPTY_SOURCE", `${empty.path} is empty`, { metadata: { file: empty.path } });
  try {
    let first: readonly ScanColumn[] | undefined;
    for (const path of scan.paths) {
      const columns = await footerColumns(connection, path, signal);
      if (first) requireSame(first, columns, path, scan.paths[0] ?? "");
      first ??= columns;
    }
    const rowBytes = await averageRowBytes(connection, scan, signal);
    const columns = (first ?? []).map((column) => declare(column, scan.declaredTypes ?? {}));
    return { scan: { ...scan, columns, rowBytes }, warnings: [] };
  } catch (error) {
    signal.throwIfAborted();
    throw engineError(error, scan);
  }
}

/** The first rows of the first file. */
export function parquetBeginning(scan: KnownScan, rows: number): string {
  const files = scan.paths.slice(0, 1).map(quoteLiteral).join(", ");
  const read = `read_parquet([${files}], hive_partitioning=false, union_by_name=false, file_row_number=true)`;
  return `SELECT ${outputsSql(scan)} FROM ${read} WHERE file_row_number < ${rows} ORDER BY file_row_number`;
}

function outputsSql(scan: KnownScan): string {
  return keptColumns(scan)
    .map(({ column }) => `${valueSql(column)} AS ${quoteIdentifier(column.name)}`)
    .join(", ");
}

function valueSql({ sourceName, origin, type }: ScanColumn): string {
  const source = quoteIdentifier(sourceName);
  return origin === "declared" ? `CAST(${source} AS ${type})` : source;
}

/** What follows the FROM of a load: its filter and its limit. */
function restSql(scan: KnownScan): string {
  const byName = new Map(scan.columns.map((column) => [column.name, column]));
  const wanted = filterSql(scan, (name) => {
    const column = byName.get(name);
    return column ? valueSql(column) : "NULL";
  });
  return `${wanted === undefined ? "" : ` WHERE ${wanted}`}${limitSql(scan)}`;
}

/** Copies the columns as they are. A 128-bit integer, which Parquet does not have, can't be in one either. */
export async function writeParquet(
  connection: Connection,
  scan: KnownScan,
  options: WriteOptions,
): Promise<WrittenSegments> {
  const select = `SELECT ${outputsSql(scan)} FROM ${readParquetSql(scan.paths)}${restSql(scan)}`;
  const size = { totalBytes: scan.totalBytes, rowBytes: scan.rowBytes ?? 0, columns: keptColumns(scan).length };
  try {
    const written = await writeSelect(connection, select, size, options);
    return {
      ...written,
      sourceBytes: scan.origins.reduce((total, { bytes }) => total + bytes, 0),
      rejectedRows: 0,
      rejectedSamples: [],
    };
  } catch (error) {
    options.signal.throwIfAborted();
    throw (await typeMismatch(connection, scan, options.signal)) ?? engineError(error, scan);
  }
}

/** The first declared column, file by file, that holds a value which can't be converted. */
async function typeMismatch(
  connection: Connection,
  scan: KnownScan,
  signal: AbortSignal,
): Promise<DriverError | undefined> {
  const declared = scan.columns.filter(({ origin }) => origin === "declared");
  if (declared.length === 0) return undefined;
  const examples = declared.map(({ sourceName, type }) => {
    const source = quoteIdentifier(sourceName);
    return `any_value(${source}::VARCHAR) FILTER (WHERE TRY_CAST(${source} AS ${type}) IS NULL)`;
  });
  for (const file of scan.paths) {
    const result = await connection.run(`SELECT ${examples.join(", ")} FROM ${readParquetSql([file])}`, [], { signal });
    const [row] = await result.getRows();
    const at = row?.findIndex((example) => example !== null) ?? -1;
    const column = declared[at];
    if (!column) continue;
    const value = String(row?.[at]).slice(0, 200);
    return new DriverError(
      "LOAD_TYPE_MISMATCH",
      `${file}, column ${JSON.stringify(column.name)}: ${JSON.stringify(value)} is no ${column.type}`,
      { metadata: { file, column: column.name, value, type: column.type } },
    );
  }
  return undefined;
}

function readParquetSql(paths: readonly string[]): string {
  return `read_parquet([${paths.map(quoteLiteral).join(", ")}], hive_partitioning=false, union_by_name=false)`;
}

async function footerColumns(
  connection: Connection,
  path: string,
  signal: AbortSignal,
): Promise<readonly ScanColumn[]> {
  const result = await connection.run(`SELECT * FROM ${readParquetSql([path])} LIMIT 0`, [], { signal });
  const names = result.columnNames();
  const unique = uniqueNames(names);
  return names.map((sourceName, index) => ({
    name: unique[index] ?? sourceName,
    sourceName,
    type: typeText(result.columnType(index)),
    origin: "inferred",
  }));
}

function requireSame(
  first: readonly ScanColumn[],
  other: readonly ScanColumn[],
  path: string,
  firstPath: string,
): void {
  const at = first.findIndex((column, index) => {
    const match = other[index];
    return match?.sourceName !== column.sourceName || match.type !== column.type;
  });
  if (at < 0 && first.length === other.length) return;
  const place = at < 0 ? first.length : at;
  const describe = (column: ScanColumn | undefined) =>
    column ? `${JSON.stringify(column.sourceName)} ${column.type}` : "nothing";
  throw new DriverError(
    "SCHEMA_MISMATCH",
    `${path}, column ${place + 1}: ${describe(other[place])}, in ${firstPath} ${describe(first[place])}`,
    { metadata: { file: path, column: String(place + 1) } },
  );
}

async function averageRowBytes(connection: Connection, scan: FileScan, signal: AbortSignal): Promise<number> {
  const paths = scan.paths.map(quoteLiteral).join(", ");
  const result = await connection.run(`SELECT sum(num_rows) FROM parquet_file_metadata([${paths}])`, [], { signal });
  const rows = Number((await result.getRows())[0]?.[0] ?? 0);
  return rows > 0 ? scan.totalBytes / rows : 0;
}

function declare(column: ScanColumn, declared: Readonly<Record<string, string>>): ScanColumn {
  const type = declared[column.name];
  return type === undefined ? column : { ...column, type, origin: "declared" };
}
