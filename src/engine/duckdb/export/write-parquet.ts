import type { ParquetExport, ParquetFile, Statement } from "../../engine.ts";
import type { Connection } from "../connection.ts";
import { describeTypes } from "../describe-statement.ts";
import { rowGroupRows } from "../load/write-segments.ts";
import { quoteIdentifier, quoteLiteral } from "../quoting.ts";
import { bind } from "../results/running-statement.ts";
import { parquetColumn } from "./parquet-columns.ts";

const LIMITS = { maxRows: Number.MAX_SAFE_INTEGER, maxBytes: Number.MAX_SAFE_INTEGER, maxRowGroupBytes: 64 * 2 ** 20 };
const CODECS = { none: "uncompressed", gzip: "gzip", zstd: "zstd" } as const;

/** Runs a statement into one Parquet file. */
export async function writeParquet(
  connection: Connection,
  statement: Statement,
  { file, compression, rowBytes, ...options }: ParquetExport,
): Promise<ParquetFile> {
  const { names, types } = await describeTypes(connection, statement);
  const aliases = names.map(quoteIdentifier).join(", ");
  const columns = names.map((name, index) => parquetColumn(name, types[index] as NonNullable<(typeof types)[number]>));
  const settings = [
    "FORMAT parquet",
    `COMPRESSION ${CODECS[compression]}`,
    "PARQUET_VERSION v2",
    `ROW_GROUP_SIZE ${rowGroupRows(LIMITS, { totalBytes: 0, rowBytes, columns: columns.length })}`,
    "RETURN_STATS true",
  ].join(", ");
  const select = `SELECT ${columns.join(", ")} FROM (${statement.text}\n) AS exported(${aliases})`;
  const copy = `COPY (${select}) TO ${quoteLiteral(file)} (${settings})`;
  return connection.interruptible(async () => {
    const prepared = await connection.raw.prepare(copy);
    try {
      bind(prepared, statement.parameters);
      const [row] = await (await prepared.run()).getRowObjects();
      return { rows: Number(row?.count), bytes: Number(row?.file_size_bytes) };
    } finally {
      prepared.destroySync();
    }
  }, options);
}
