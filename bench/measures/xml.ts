import { setTimeout as sleep } from "node:timers/promises";
import { salesXml } from "../support/data.ts";
import { type BenchDriver, startDriver } from "../support/driver.ts";
import type { Bench, MeasureGroup } from "../support/measure.ts";
import { peakRssMb, workersOf } from "../support/processes.ts";
import { median, timeMs } from "../support/statistics.ts";

const BYTES = 1e9;

export const xml: MeasureGroup = {
  name: "xml",
  measures: [
    {
      name: "xml-rate",
      title: "load of 1 GB of XML",
      unit: "MB/s",
      target: { atLeast: 40 },
      value: async (bench) => {
        const path = await salesXml(bench.cache, BYTES);
        await using driver = await startDriver(bench);
        const times: number[] = [];
        for (let run = 0; run < 3; run++) times.push(await timeMs(() => load(driver, path)));
        bench.note(times.map((time) => `${(time / 1000).toFixed(1)} s`).join(", "));
        return BYTES / 1e6 / (median(times) / 1000);
      },
    },
    {
      name: "xml-rss",
      title: "peak resident set of the worker that loads 1 GB of XML",
      unit: "MB",
      target: { atMost: 400 },
      value: async (bench) => peakOfWorkers(bench),
    },
  ],
};

async function load(driver: BenchDriver, path: string): Promise<void> {
  await (await driver.client.load("sales", { uri: path })).result();
}

async function peakOfWorkers(bench: Bench): Promise<number> {
  const path = await salesXml(bench.cache, BYTES);
  await using driver = await startDriver(bench);
  let peak = 0;
  let loaded = false;
  const loading = load(driver, path).finally(() => {
    loaded = true;
  });
  while (!loaded) {
    for (const pid of await workersOf(driver.pid)) peak = Math.max(peak, await peakRssMb(pid));
    await Promise.race([sleep(100), loading]);
  }
  await loading;
  return peak;
}
