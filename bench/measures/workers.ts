import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { avg, count, type Drover, dim, sum } from "@drover/client";
import { bareEngine } from "../support/bare-engine.ts";
import { copyOptions, loaderSettings } from "../support/copy-options.ts";
import { flightsCsv, salesCsv } from "../support/data.ts";
import { type BenchDriver, startDriver } from "../support/driver.ts";
import type { Bench, MeasureGroup } from "../support/measure.ts";
import { contextSwitches, workersOf } from "../support/processes.ts";
import { median, pairedRatio, percentile, timeMs } from "../support/statistics.ts";
import { whenResident } from "./loading.ts";

const MILLIONS = 10;
const salesColumns =
  "{id: 'BIGINT', sold_at: 'TIMESTAMP', customer: 'VARCHAR', city: 'VARCHAR', quantity: 'BIGINT', price: 'DECIMAL(18,2)'}";

export const workers: MeasureGroup = {
  name: "workers",
  measures: [
    {
      name: "load-sales",
      title: "load of 10 M rows (600 MB of CSV) in a worker / bare COPY to Parquet in process",
      unit: "x",
      target: { atMost: 1.15 },
      value: async (bench) => {
        const path = await salesCsv(bench.cache, MILLIONS);
        await using driver = await startDriver(bench);
        const bare = await bareEngine(loaderSettings);
        const read = `read_csv('${path}', auto_detect=false, header=true, columns=${salesColumns})`;
        const ratio = await pairedRatio(
          3,
          () => load(driver.client, "sales", path),
          () => copy(bench, bare, read),
        );
        bare.closeSync();
        return ratio;
      },
    },
    {
      name: "readers-p95",
      title: "a reader's p95 while 10 M rows are loaded / idle",
      unit: "x",
      target: { atMost: 1.5 },
      value: async (bench) => {
        await using driver = await readyDriver(bench);
        const path = await salesCsv(bench.cache, MILLIONS);
        const idle = await askFor(driver.client, 5_000);
        const loading = load(driver.client, "sales", path);
        const busy = await askUntil(driver.client, loading);
        return percentile(busy, 0.95) / percentile(idle, 0.95);
      },
    },
    {
      name: "worker-start",
      title: "load of a file of one row, no worker there (its start, first byte, segment, publication)",
      unit: "ms",
      target: { atMost: 300 },
      value: async (bench) => {
        const path = join(bench.folder, "one.csv");
        await writeFile(path, "a\n1\n");
        await using driver = await startDriver(bench, ["--workers-idle", "50ms"]);
        const times: number[] = [];
        for (let run = 0; run < 9; run++) {
          while ((await workersOf(driver.pid)).length > 0) await sleep(20);
          times.push(await timeMs(() => load(driver.client, "one", path)));
        }
        return median(times);
      },
    },
    {
      name: "switches-together",
      title: "context switches of loads and reads together / of each alone, for the same work",
      unit: "x",
      target: "report",
      value: async (bench) => {
        await using driver = await readyDriver(bench);
        const path = await salesCsv(bench.cache, MILLIONS);
        const asked = 300;
        const reads = await switchesOf(driver, () => askTimes(driver.client, asked));
        const loads = await switchesOf(driver, () => load(driver.client, "sales", path));
        const together = await switchesOf(driver, () =>
          Promise.all([load(driver.client, "sales", path), askTimes(driver.client, asked)]),
        );
        bench.note(`reads ${reads}, load ${loads}, together ${together} context switches`);
        return together / (reads + loads);
      },
    },
  ],
};

/** A driver with the flights in memory and a worker that waits. */
async function readyDriver(bench: Bench): Promise<BenchDriver> {
  const driver = await startDriver(bench);
  await load(driver.client, "flights", await flightsCsv(bench.cache));
  await whenResident(driver.client, "flights");
  await askFor(driver.client, 500);
  return driver;
}

async function load(client: Drover, dataset: string, uri: string): Promise<void> {
  await (await client.load(dataset, { uri })).result();
}

/** A dashboard's question; answers how long it took. */
function ask(client: Drover): Promise<number> {
  const question = { dimensions: [dim("origin")], measures: [count(), avg("delay"), sum("distance")] };
  return timeMs(() => client.query("flights", question).rows());
}

async function askTimes(client: Drover, times: number): Promise<readonly number[]> {
  const all: number[] = [];
  for (let asked = 0; asked < times; asked++) all.push(await ask(client));
  return all;
}

async function askFor(client: Drover, durationMs: number): Promise<readonly number[]> {
  return askUntil(client, sleep(durationMs));
}

async function askUntil(client: Drover, end: Promise<unknown>): Promise<readonly number[]> {
  let ended = false;
  const watched = end.finally(() => {
    ended = true;
  });
  const all: number[] = [];
  while (!ended) all.push(await ask(client));
  await watched;
  return all;
}

/** Context switches of a driver and its workers during some work. */
async function switchesOf(driver: BenchDriver, work: () => Promise<unknown>): Promise<number> {
  const total = async () => {
    const pids = [driver.pid, ...(await workersOf(driver.pid))];
    const counts = await Promise.all(pids.map(contextSwitches));
    return counts.reduce((sum, count) => sum + count, 0);
  };
  const before = await total();
  await work();
  return (await total()) - before;
}

async function copy(bench: Bench, bare: Awaited<ReturnType<typeof bareEngine>>, relation: string): Promise<void> {
  const folder = await mkdtemp(join(bench.folder, "copy-"));
  await bare.run(`COPY (FROM ${relation}) TO '${folder}' (${copyOptions}, OVERWRITE_OR_IGNORE)`);
  await rm(folder, { recursive: true });
}
