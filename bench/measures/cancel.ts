import { setTimeout as sleep } from "node:timers/promises";
import { salesCsv } from "../support/data.ts";
import { startDriver } from "../support/driver.ts";
import type { MeasureGroup } from "../support/measure.ts";
import { percentile, timeMs } from "../support/statistics.ts";

const HEAVY_SQL = "SELECT count(*) FROM sales a, sales b WHERE a.price + b.price < 1";

export const cancel: MeasureGroup = {
  name: "cancel",
  measures: [
    {
      name: "cancel-query",
      title: "cancel of a query to engine idle (p95)",
      unit: "ms",
      target: { atMost: 100 },
      value: async (bench) => {
        await using driver = await startDriver(bench);
        await (await driver.client.load("sales", { uri: await salesCsv(bench.cache, 1) })).result();
        const times: number[] = [];
        for (let run = 0; run < 40; run++) {
          const query = driver.client.sql(HEAVY_SQL);
          const ended = query.frame().catch(() => undefined);
          // Different moments of its life.
          await sleep(50 + run * 10);
          // CancelOperation answers when the engine has let go of the statement.
          times.push(await timeMs(() => driver.client.cancel(query.operationId)));
          await ended;
        }
        return percentile(times, 0.95);
      },
    },
    {
      name: "cancel-load",
      title: "cancel of a load to engine idle (p95)",
      unit: "ms",
      target: { atMost: 300 },
      value: async (bench) => {
        const path = await salesCsv(bench.cache, 10);
        await using driver = await startDriver(bench);
        const times: number[] = [];
        for (let run = 0; run < 20; run++) {
          const load = await driver.client.load("sales", { uri: path });
          await sleep(100 + run * 80);
          times.push(await timeMs(() => load.cancel()));
        }
        return percentile(times, 0.95);
      },
    },
  ],
};
