import { salesCsv } from "../support/data.ts";
import { startDriver } from "../support/driver.ts";
import type { Bench, MeasureGroup } from "../support/measure.ts";
import { timeMs } from "../support/statistics.ts";

interface Scaled {
  readonly rateRatio: number;
  readonly rssOverBudget: number;
}

let taken: Promise<Scaled> | undefined;
const BUDGET_MB = 4_000;

/** 100 M rows against 10 M: minutes and 7 GB of disk. */
export const scale: MeasureGroup = {
  name: "scale",
  onlyWhenNamed: true,
  measures: [
    {
      name: "scale-rate",
      title: "rows/s of a load of 100 M rows / of 10 M rows",
      unit: "x",
      target: { atLeast: 0.9 },
      value: async (bench) => (await scaled(bench)).rateRatio,
    },
    {
      name: "scale-rss",
      title: "driver RSS after 100 M rows / the memory budget",
      unit: "x",
      target: { atMost: 1 },
      value: async (bench) => (await scaled(bench)).rssOverBudget,
    },
  ],
};

function scaled(bench: Bench): Promise<Scaled> {
  taken ??= measure(bench);
  return taken;
}

async function measure(bench: Bench): Promise<Scaled> {
  const small = await salesCsv(bench.cache, 10);
  const large = await salesCsv(bench.cache, 100);
  await using driver = await startDriver(bench, ["--memory", `${BUDGET_MB}MB`]);
  const load = async (name: string, uri: string) => (await driver.client.load(name, { uri })).result();
  await load("warm", small);
  const smallMs = await timeMs(() => load("small", small));
  let worstMb = 0;
  const watch = setInterval(async () => {
    worstMb = Math.max(worstMb, await driver.rssMb());
  }, 500);
  const largeMs = await timeMs(() => load("large", large));
  clearInterval(watch);
  return { rateRatio: (10 * smallMs) / largeMs, rssOverBudget: worstMb / BUDGET_MB };
}
