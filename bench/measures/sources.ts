import { stat } from "node:fs/promises";
import { salesCsv } from "../support/data.ts";
import { startDriver } from "../support/driver.ts";
import type { MeasureGroup } from "../support/measure.ts";
import { median, timeMs } from "../support/statistics.ts";

/** 1 GB. */
const MILLIONS = 17;
const RUNS = 15;

export const sources: MeasureGroup = {
  name: "sources",
  measures: [
    {
      name: "preview-csv",
      title: "preview of 100 rows of a CSV of 1 GB, with a worker that waits",
      unit: "ms",
      target: { atMost: 200 },
      value: async (bench) => {
        const uri = await salesCsv(bench.cache, MILLIONS);
        await using driver = await startDriver(bench);
        const preview = () => driver.client.preview({ uri });
        await preview();
        const times: number[] = [];
        for (let run = 0; run < RUNS; run++) times.push(await timeMs(preview));
        return median(times);
      },
    },
    {
      name: "upload",
      title: "megabytes a second of an upload of 600 MB, verified and on disk",
      unit: "MB",
      target: "report",
      value: async (bench) => {
        const path = await salesCsv(bench.cache, 10);
        const { size } = await stat(path);
        await using driver = await startDriver(bench);
        const times: number[] = [];
        for (let run = 0; run < 3; run++) {
          const id = `upload-${run}`;
          times.push(await timeMs(() => driver.client.upload(path, { id })));
          await driver.client.deleteUpload(id);
        }
        return size / 1e6 / (median(times) / 1_000);
      },
    },
  ],
};
