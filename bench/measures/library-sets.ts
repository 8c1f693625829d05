import { startDriver } from "../support/driver.ts";
import type { MeasureGroup } from "../support/measure.ts";
import { median, timeMs } from "../support/statistics.ts";

const RUNS = 5;
/** With what they need these are 16 packages. */
const PACKAGES = [
  { name: "pg", version: "8.11.3" },
  { name: "pg-copy-streams", version: "7.0.0" },
];

export const librarySets: MeasureGroup = {
  name: "library-sets",
  measures: [
    {
      name: "library-set-create",
      title: `a library set with two packages from the registry, npm's cache warm, median of ${RUNS}`,
      unit: "ms",
      target: { atMost: 10_000 },
      value: async (bench) => {
        await using driver = await startDriver(bench);
        let told = 0;
        const create = (name: string) =>
          driver.client.librarySets.create({ name, packages: PACKAGES }, { onProgress: () => void told++ });
        await create("warm-up");
        told = 0;
        const times: number[] = [];
        for (let run = 0; run < RUNS; run++) times.push(await timeMs(() => create(`run-${run}`)));
        bench.note(`progress was told ${Math.round(told / RUNS)} times a run`);
        return median(times);
      },
    },
  ],
};
