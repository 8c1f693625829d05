import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DuckDBInstance, type DuckDBValue, type Json } from "@duckdb/node-api";
import { Connection, openInstance } from "../../src/engine/duckdb/connection.ts";
import { quoteLiteral } from "../../src/engine/duckdb/quoting.ts";
import { checkSql } from "../../src/engine/duckdb/sandbox/check-sql.ts";
import { lockDown, readerSettings } from "../../src/engine/duckdb/sandbox/reader-settings.ts";
import { renderSql } from "../../src/engine/duckdb/sandbox/render-sql.ts";
import { residentDatabase, residentTable } from "../../src/engine/duckdb/version-relation.ts";
import type { ReadableVersion, Statement } from "../../src/engine/engine.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** What the secret files hold: it must never come out of the sandbox. */
export const SECRET = "the-secret-of-the-file";

const TRIPS = `
  SELECT i AS id, ['Ada', 'Bob', 'Cy', NULL][1 + i % 4] AS rider, ['north', 'south', 'east'][1 + i % 3] AS zone,
    (i * 7 % 50)::DECIMAL(10, 2) / 2 AS fare, TIMESTAMP '2024-01-01 00:00:00' + INTERVAL (i) HOUR AS started,
    DATE '2024-01-01' + (i % 40)::INTEGER AS day, [i, i + 1] AS legs, {'lat': i / 10.0, 'lon': -i / 10.0} AS place,
    '{"tags": ["a", "b"], "n": ' || i || '}' AS details
  FROM range(120) t(i)`;
const ZONES = "SELECT * FROM (VALUES ('north', 'N', 10), ('south', 'S', 20), ('west', 'W', 30)) t(zone, short, area)";

/** A reading instance that is locked as in the driver, with two datasets in files, one in memory and one without rows. */
export interface LockedReader extends AsyncDisposable {
  readonly folder: string;
  /** Holds SECRET; outside of what the reader may read. */
  readonly outsideFile: string;
  /** Holds SECRET; beside the segments. */
  readonly insideFile: string;
  readonly versions: readonly ReadableVersion[];
  connect(): Promise<Connection>;
  /** Checks, renders and runs a user's SQL. */
  ask(sql: string, parameters?: Statement["parameters"]): Promise<Json[][]>;
}

export async function openLockedReader(): Promise<LockedReader> {
  const folder = await temporaryFolder();
  const segments = join(folder.path, "segments");
  const spill = join(folder.path, "spill");
  await mkdir(segments);
  await mkdir(spill);
  const outsideFile = join(folder.path, "outside.csv");
  const insideFile = join(segments, "inside.csv");
  for (const file of [outsideFile, insideFile]) await writeFile(file, `secret\n${SECRET}\n`);
  const versions = await writeVersions(segments);
  const instance = await openInstance(
    readerSettings({ memoryLimitBytes: 400e6, threads: 2, spillDirectory: spill, maxSpillBytes: 100e6 }),
  );
  const first = await Connection.open(instance);
  await lockDown(first.raw, { allowedDirectories: [segments] });
  await first.raw.run(`ATTACH ':memory:' AS ${residentDatabase("zones@1")} (COMPRESS)`);
  await first.raw.run(`CREATE TABLE ${residentTable("zones@1")} AS ${ZONES}`);
  const run = async (statement: Statement) => {
    using connection = await Connection.open(instance);
    const result = await connection.run(statement.text, [...statement.parameters] as DuckDBValue[], {
      signal: AbortSignal.timeout(50_000),
    });
    return result.getRowsJson();
  };
  return {
    folder: folder.path,
    outsideFile,
    insideFile,
    versions,
    connect: () => Connection.open(instance),
    ask: async (sql, parameters = []) =>
      run(renderSql(await checkSql(first, sql, { signal: AbortSignal.timeout(50_000) }), parameters, versions)),
    [Symbol.asyncDispose]: async () => {
      first[Symbol.dispose]();
      instance.closeSync();
      await folder[Symbol.asyncDispose]();
    },
  };
}

async function writeVersions(segments: string): Promise<readonly ReadableVersion[]> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  const write = async (sql: string, name: string) => {
    const path = join(segments, name);
    await connection.run(`COPY (${sql}) TO ${quoteLiteral(path)} (FORMAT parquet)`);
    return path;
  };
  const trips = [
    await write(`SELECT * FROM (${TRIPS}) WHERE id < 70`, "trips-1.parquet"),
    await write(`SELECT * FROM (${TRIPS}) WHERE id >= 70`, "trips-2.parquet"),
  ];
  const odd = [await write(`SELECT 1 AS "a""b", 2 AS "ключ 🔑", 3 AS "select"`, "odd.parquet")];
  connection.closeSync();
  instance.closeSync();
  const version = (dataset: string, segmentPaths: readonly string[]): ReadableVersion => ({
    dataset,
    version: 1,
    columns: [],
    segmentPaths,
  });
  return [
    version("trips", trips),
    version('odd "name" 🔑', odd),
    version("Trips", odd),
    { ...version("zones", []), residentTable: "zones@1" },
    {
      ...version("empty", []),
      columns: [
        { name: "id", type: "BIGINT", kind: "integer" },
        { name: "place", type: "STRUCT(a INTEGER, b VARCHAR[])", kind: "nested" },
      ],
    },
  ];
}
