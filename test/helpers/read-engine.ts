import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { type RecordBatch, type Table, tableFromIPC } from "apache-arrow";
import { openReadEngine, type ReadEngineOptions } from "../../src/engine/duckdb/read-engine.ts";
import type { QueryOptions, ReadEngine, Statement } from "../../src/engine/engine.ts";
import type { Column, JsonValue } from "../../src/engine/types.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** A reading engine of its own with folders of its own. */
export interface EngineUnderTest extends AsyncDisposable {
  readonly engine: ReadEngine;
  /** Files in it can be read. */
  readonly segments: string;
  readonly spill: string;
  /** Files in the spill folder. */
  spilled(): Promise<readonly string[]>;
}

export async function engineUnderTest(options: Partial<ReadEngineOptions> = {}): Promise<EngineUnderTest> {
  const folder = await temporaryFolder();
  const segments = join(folder.path, "segments");
  const spill = join(folder.path, "spill");
  await mkdir(segments);
  await mkdir(spill);
  const engine = await openReadEngine({
    memoryLimitBytes: 400e6,
    threads: 2,
    spillDirectory: spill,
    maxSpillBytes: 1e9,
    allowedDirectories: [segments],
    ...options,
  });
  return {
    engine,
    segments,
    spill,
    spilled: () => readdir(spill),
    [Symbol.asyncDispose]: async () => {
      await engine[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** The same engine without anything of the driver around it: the independent opinion. */
export async function bareEngine(): Promise<Disposable & { readonly connection: DuckDBConnection }> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  await connection.run("SET TimeZone = 'UTC'");
  return {
    connection,
    [Symbol.dispose]: () => {
      connection.closeSync();
      instance.closeSync();
    },
  };
}

export interface WholeResult {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly JsonValue[])[];
  readonly batchSizes: readonly number[];
  readonly batchBytes: readonly number[];
  /** What apache-arrow reads. */
  readonly table: Table;
  readonly arrowBatches: readonly RecordBatch[];
}

/** Reads a result to its end in both forms. */
export async function readAll(
  engine: ReadEngine,
  text: string,
  options: Partial<QueryOptions> & { readonly parameters?: Statement["parameters"] } = {},
): Promise<WholeResult> {
  const { parameters = [], signal = new AbortController().signal, ...rest } = options;
  await using result = await engine.query({ text, parameters }, { signal, ...rest });
  const messages = [result.arrowSchema()];
  const rows: (readonly JsonValue[])[] = [];
  const batchSizes: number[] = [];
  for (let batch = await result.next(); batch; batch = await result.next()) {
    messages.push(batch.toArrow());
    batchSizes.push(batch.rows);
    rows.push(...batch.toRows());
  }
  const table = tableFromIPC(Buffer.concat(messages));
  const batchBytes = messages.slice(1).map(({ length }) => length);
  return { columns: result.columns, rows, batchSizes, batchBytes, table, arrowBatches: table.batches };
}

/** A version of the rows of a SELECT, written as Parquet segments of `rowsPerSegment` rows. */
export async function writeSegments(folder: string, select: string, segments: number): Promise<readonly string[]> {
  using bare = await bareEngine();
  const paths: string[] = [];
  for (let segment = 0; segment < segments; segment++) {
    const path = join(folder, `segment-${segment}.parquet`);
    await bare.connection.run(`COPY (${select.replaceAll("$segment", String(segment))}) TO '${path}' (FORMAT parquet)`);
    paths.push(path);
  }
  return paths;
}
