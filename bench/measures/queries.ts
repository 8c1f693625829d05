import { avg, count, dim } from "@drover/client";
import type { DuckDBConnection } from "@duckdb/node-api";
import { bareEngine } from "../support/bare-engine.ts";
import { flightsCsv } from "../support/data.ts";
import { type BenchDriver, startDriver } from "../support/driver.ts";
import type { Bench, MeasureGroup } from "../support/measure.ts";
import { median, pairedRatio, timeMs } from "../support/statistics.ts";
import { whenResident } from "./loading.ts";

const MILLION = 1_000_000;

export const queries: MeasureGroup = {
  name: "queries",
  measures: [
    {
      name: "query-overhead",
      title: "grouped query through gRPC - the same SQL in process (p50)",
      unit: "ms",
      target: { atMost: 1.5 },
      value: async (bench) => {
        const path = await flightsCsv(bench.cache);
        await using driver = await startDriver(bench);
        await (await driver.client.load("flights", { uri: path })).result();
        await driver.client.sql("SELECT count(delay) FROM flights").rows();
        await whenResident(driver.client, "flights");
        const bare = await bareEngine();
        await bare.run("ATTACH ':memory:' AS resident (COMPRESS)");
        await bare.run(`CREATE TABLE resident.flights AS FROM read_csv('${path}')`);
        await bare.run("CHECKPOINT resident");
        const ours = () =>
          driver.client.query("flights", { dimensions: [dim("origin")], measures: [count(), avg("delay")] }).rows();
        const theirs = async () =>
          (
            await bare.run(
              "SELECT origin, count(*), avg(delay) FROM resident.flights GROUP BY origin ORDER BY origin NULLS LAST",
            )
          ).getRowsJson();
        const difference = await pairedDifferenceMs(10, ours, theirs);
        bare.closeSync();
        return difference;
      },
    },
    {
      name: "arrow-with-text",
      title:
        "1 M rows of int64, double, timestamp, 20-byte text as Arrow through gRPC / reading every value in process",
      unit: "x",
      target: { atMost: 2.5 },
      value: (bench) => arrowRatio(bench, "id, reading, taken_at, label"),
    },
    {
      name: "arrow-fixed-width",
      title: "the same without the text",
      unit: "x",
      target: { atMost: 2 },
      value: (bench) => arrowRatio(bench, "id, reading, taken_at"),
    },
  ],
};

/**
 * The difference of the medians. The sides take turns in blocks: threads of an engine in this process go on for a moment after
 * an answer and would hold up the driver's next one.
 */
async function pairedDifferenceMs(
  blocks: number,
  ours: () => Promise<unknown>,
  theirs: () => Promise<unknown>,
): Promise<number> {
  const ourTimes: number[] = [];
  const theirTimes: number[] = [];
  for (let block = 0; block <= blocks; block++) {
    for (const [side, times] of [
      [ours, ourTimes],
      [theirs, theirTimes],
    ] as const) {
      for (let run = 0; run < 25; run++) {
        const ms = await timeMs(side);
        // The first block warms both sides up; the first runs of a block still feel the other side.
        if (block > 0 && run >= 5) times.push(ms);
      }
    }
  }
  return median(ourTimes) - median(theirTimes);
}

async function arrowRatio(bench: Bench, columns: string): Promise<number> {
  const rows = `SELECT i AS id, i / 7 AS reading, TIMESTAMP '2020-01-01' + INTERVAL (i) SECOND AS taken_at,
                       lpad(i::VARCHAR, 20, 'x') AS label FROM range(${MILLION}) numbers(i)`;
  const parquet = `${bench.folder}/million.parquet`;
  const bare = await bareEngine();
  await bare.run(`COPY (${rows}) TO '${parquet}' (FORMAT parquet)`);
  await bare.run("ATTACH ':memory:' AS resident (COMPRESS)");
  await bare.run(`CREATE TABLE resident.million AS ${rows}`);
  await bare.run("CHECKPOINT resident");
  await using driver = await startDriver(bench);
  await (await driver.client.load("million", { uri: parquet })).result();
  await driver.client.sql("SELECT count(id) FROM million").rows();
  await whenResident(driver.client, "million");
  const ratio = await pairedRatio(
    9,
    () => readArrow(driver, `SELECT ${columns} FROM million`),
    () => readEveryValue(bare, `SELECT ${columns} FROM resident.million`),
  );
  bare.closeSync();
  return ratio;
}

async function readArrow(driver: BenchDriver, sql: string): Promise<void> {
  let bytes = 0;
  for await (const chunk of driver.client.sql(sql).arrow()) bytes += chunk.byteLength;
  if (bytes < 20 * MILLION) throw new Error("the result is not whole");
}

/** Fetches the chunks and takes every value out of its vector. */
async function readEveryValue(bare: DuckDBConnection, sql: string): Promise<void> {
  const result = await bare.stream(sql);
  let values = 0;
  for (;;) {
    const chunk = await result.fetchChunk();
    if (!chunk || chunk.rowCount === 0) break;
    for (let column = 0; column < chunk.columnCount; column++) {
      const vector = chunk.getColumnVector(column);
      for (let row = 0; row < chunk.rowCount; row++) if (vector.getItem(row) !== null) values += 1;
    }
  }
  if (values < 3 * MILLION) throw new Error("the result is not whole");
}
