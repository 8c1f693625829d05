import { setTimeout as sleep } from "node:timers/promises";
import { salesCsv } from "../support/data.ts";
import { startDriver } from "../support/driver.ts";
import type { Bench, Measure, MeasureGroup } from "../support/measure.ts";
import { whenResident } from "./loading.ts";

interface MemoryUse {
  readonly loadedMb: number;
  readonly evictedMb: number;
}

/** Taken once for both measures. */
let taken: Promise<MemoryUse> | undefined;

export const memory: MeasureGroup = {
  name: "memory",
  measures: [
    rss("rss-loaded", "driver RSS with 10 M rows loaded and queried", 1500, ({ loadedMb }) => loadedMb),
    rss("rss-evicted", "driver RSS 60 s after the dataset left memory", 800, ({ evictedMb }) => evictedMb),
  ],
};

function rss(name: string, title: string, atMost: number, pick: (use: MemoryUse) => number): Measure {
  return {
    name,
    title,
    unit: "MB",
    target: { atMost },
    value: async (bench) => {
      taken ??= memoryUse(bench);
      return pick(await taken);
    },
  };
}

async function memoryUse(bench: Bench): Promise<MemoryUse> {
  const path = await salesCsv(bench.cache, 10);
  await using driver = await startDriver(bench, ["--residency-idle", "5s"]);
  const { client } = driver;
  await (await client.load("sales", { uri: path })).result();
  await client.sql("SELECT city, sum(price * quantity) FROM sales GROUP BY city").rows();
  await whenResident(client, "sales");
  await client
    .sql("SELECT customer, sum(price * quantity) s FROM sales GROUP BY customer ORDER BY s DESC LIMIT 10")
    .rows();
  const loadedMb = await driver.rssMb();
  bench.note("waiting for the dataset to leave memory, then 60 s");
  while ((await client.dataset("sales")).resident) await sleep(500);
  await sleep(60_000);
  return { loadedMb, evictedMb: await driver.rssMb() };
}
