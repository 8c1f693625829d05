import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { openReadEngine } from "../../src/engine/duckdb/read-engine.ts";
import { columnFromType } from "../../src/engine/duckdb/types/columns.ts";
import { versionRelation } from "../../src/engine/duckdb/version-relation.ts";
import type { ReadableVersion, ReadEngine, Statement } from "../../src/engine/engine.ts";
import type { Column, JsonValue } from "../../src/engine/types.ts";
import type { CaseDataset } from "./cases.ts";

/** The whole of a result. */
export interface WholeResult {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly JsonValue[])[];
}

/** The real reading engine over datasets that are written as segments when they are first asked for. */
export interface CaseEngine extends AsyncDisposable {
  readonly engine: ReadEngine;
  version(dataset: CaseDataset): Promise<ReadableVersion>;
  run(statement: Statement): Promise<WholeResult>;
  /** Runs SQL in which the dataset is a table. */
  runSql(sql: string, version: ReadableVersion): Promise<WholeResult>;
}

export async function openCaseEngine(): Promise<CaseEngine> {
  const stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "drover-cases-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const writer = await DuckDBInstance.create(":memory:");
  stack.defer(() => writer.closeSync());
  const connection = await writer.connect();
  await connection.run("SET TimeZone = 'UTC'");
  const engine = await openReadEngine({
    memoryLimitBytes: 1 << 30,
    threads: 2,
    spillDirectory: join(folder, "spill"),
    maxSpillBytes: 1 << 30,
    allowedDirectories: [folder],
  });
  stack.use(engine);
  const versions = new Map<string, Promise<ReadableVersion>>();
  const run = async (statement: Statement): Promise<WholeResult> => {
    await using result = await engine.query(statement, { signal: new AbortController().signal });
    const rows: (readonly JsonValue[])[] = [];
    for (let batch = await result.next(); batch !== undefined; batch = await result.next())
      rows.push(...batch.toRows());
    return { columns: result.columns, rows };
  };
  return {
    engine,
    run,
    version(dataset) {
      const key = `${dataset.name} ${dataset.sql}`;
      const version = versions.get(key) ?? writeSegments(connection, dataset, join(folder, `${versions.size}`));
      versions.set(key, version);
      return version;
    },
    runSql(sql, version) {
      const relation = `WITH "${version.dataset}" AS ${versionRelation(version)}`;
      const text = /^WITH\b/i.test(sql) ? `${relation}, ${sql.slice(4)}` : `${relation} ${sql}`;
      return run({ text, parameters: [] });
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** Writes a dataset as two segments, the second of which may be empty. */
async function writeSegments(
  connection: DuckDBConnection,
  { name, sql }: CaseDataset,
  path: string,
): Promise<ReadableVersion> {
  await connection.run(`CREATE OR REPLACE TEMP TABLE made AS ${sql}`);
  const segmentPaths = [`${path}-0.parquet`, `${path}-1.parquet`];
  const half = "(SELECT count(*) + 1 FROM made) // 2";
  const copy = (path: string, rows: string) =>
    connection.run(`COPY (SELECT * FROM made WHERE rowid ${rows}) TO '${path}' (FORMAT parquet, PARQUET_VERSION v2)`);
  await copy(segmentPaths[0] ?? "", `< ${half}`);
  await copy(segmentPaths[1] ?? "", `>= ${half}`);
  const read = await connection.runAndReadAll(`SELECT * FROM read_parquet('${segmentPaths[0]}') LIMIT 0`);
  const columns = read.columnNames().map((column, index) => columnFromType(column, read.columnType(index)));
  return { dataset: name, version: 1, columns, segmentPaths };
}
