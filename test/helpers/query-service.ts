import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import type { DatasetInfo, DatasetStore } from "../../src/datasets/model.ts";
import { openReadEngine } from "../../src/engine/duckdb/read-engine.ts";
import { columnFromType } from "../../src/engine/duckdb/types/columns.ts";
import type { ReadEngine } from "../../src/engine/engine.ts";
import type { SegmentInfo } from "../../src/engine/file-scan.ts";
import type { Operations } from "../../src/operations/model.ts";
import { createOperations } from "../../src/operations/operations.ts";
import type { AggregateQuery, Question } from "../../src/queries/model.ts";
import type { QueryLimits } from "../../src/queries/parts.ts";
import { createQueryService, type QueryService } from "../../src/queries/service.ts";
import type { Pool } from "../../src/scheduling/model.ts";
import { createPool } from "../../src/scheduling/pool.ts";
import { openStore } from "./dataset-store.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** The query service over a real engine, store, register and pool. */
export interface OpenedQueryService extends AsyncDisposable {
  /** The engine may read and write there. */
  readonly folder: string;
  readonly service: QueryService;
  readonly engine: ReadEngine;
  readonly datasets: DatasetStore;
  readonly operations: Operations;
  readonly pool: Pool;
  /** Publishes the rows of a SELECT as the dataset's next version, in segments of so many rows. */
  load(name: string, sql: string, rowsPerSegment?: number): Promise<DatasetInfo>;
}

const REATTACH = { detachedTimeoutMs: 15_000, resultTtlMs: 30_000, spoolBytes: 64 << 20, spoolBytesPerQuery: 16 << 20 };

export async function openQueryService(
  limits: Partial<QueryLimits> = {},
  { places = 4, memoryBytes = 0 }: { readonly places?: number; readonly memoryBytes?: number } = {},
): Promise<OpenedQueryService> {
  const stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryFolder());
  const spillDirectory = join(folder.path, "spill");
  await mkdir(spillDirectory);
  const engine = stack.use(
    await openReadEngine({
      memoryLimitBytes: 1 << 30,
      threads: 2,
      spillDirectory,
      maxSpillBytes: 1 << 30,
      allowedDirectories: [folder.path],
    }),
  );
  const { store: datasets } = stack.use(
    await openStore(folder.path, engine, { residency: { budgetBytes: memoryBytes, idleMs: 0 } }),
  );
  const operations = stack.use(createOperations());
  const pool = createPool({ name: "readers", size: places, maxQueued: 16 });
  const service = createQueryService({
    engine,
    datasets,
    operations,
    pool,
    limits: { maxAnswerBytes: 4 << 20, maxPageBytes: 1 << 20, ...REATTACH, ...limits },
  });
  return {
    folder: folder.path,
    service,
    engine,
    datasets,
    operations,
    pool,
    load: (name, sql, rowsPerSegment = 1_000_000) => load(datasets, name, sql, rowsPerSegment),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function load(datasets: DatasetStore, name: string, sql: string, rowsPerSegment: number): Promise<DatasetInfo> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  try {
    await using staged = await datasets.stage(name);
    await connection.run(`CREATE TABLE made AS ${sql}`);
    const rows = Number((await connection.runAndReadAll("SELECT count(*) FROM made")).getRows()[0]?.[0]);
    const segments: SegmentInfo[] = [];
    for (let start = 0; start < rows; start += rowsPerSegment) {
      const file = `segment-${segments.length}.parquet`;
      const path = join(staged.directory, file);
      const some = `rowid >= ${start} AND rowid < ${start + rowsPerSegment}`;
      await connection.run(`COPY (SELECT * FROM made WHERE ${some} ORDER BY rowid) TO '${path}' (FORMAT parquet)`);
      segments.push({ file, rows: Math.min(rowsPerSegment, rows - start), bytes: (await stat(path)).size });
    }
    const shape = await connection.runAndReadAll("SELECT * FROM made LIMIT 0");
    const content = {
      columns: shape.columnNames().map((column, index) => columnFromType(column, shape.columnType(index))),
      segments,
      rows,
      bytes: segments.reduce((sum, { bytes }) => sum + bytes, 0),
      sourceBytes: 0,
      lineage: { format: "csv", uri: "/made.csv", options: {}, operationId: "load-1" },
      warnings: [],
      rejectedRows: 0,
    };
    return await staged.publish(content, {});
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** A query with nothing but what is given. */
export function aggregate(dataset: string, parts: Partial<AggregateQuery>): Extract<Question, { kind: "aggregate" }> {
  return {
    kind: "aggregate",
    query: {
      dataset,
      version: 0,
      calculatedColumns: [],
      dimensions: [],
      measures: [],
      calculatedMeasures: [],
      order: [],
      limit: 0,
      offset: 0,
      totals: "none",
      ...parts,
    },
  };
}
