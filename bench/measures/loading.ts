import { mkdtemp, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Drover } from "@drover/client";
import { bareEngine } from "../support/bare-engine.ts";
import { copyOptions, loaderSettings } from "../support/copy-options.ts";
import { flightsCsv, wideCsv } from "../support/data.ts";
import { startDriver } from "../support/driver.ts";
import type { Bench, MeasureGroup } from "../support/measure.ts";
import { pairedRatio } from "../support/statistics.ts";

const flightsColumns =
  "{date: 'TIMESTAMP', delay: 'BIGINT', distance: 'BIGINT', origin: 'VARCHAR', destination: 'VARCHAR'}";

export const loading: MeasureGroup = {
  name: "loading",
  measures: [
    {
      name: "load-flights",
      title: "load of the flights CSV (3 M rows) / bare COPY to Parquet",
      unit: "x",
      target: { atMost: 1.15 },
      value: async (bench) => {
        const path = await flightsCsv(bench.cache);
        await using driver = await startDriver(bench);
        const bare = await bareEngine(loaderSettings);
        const ratio = await pairedRatio(
          7,
          () => loadAgain(driver.client, path),
          () =>
            copy(
              bench,
              bare.run.bind(bare),
              `read_csv('${path}', auto_detect=false, header=true, columns=${flightsColumns})`,
            ),
        );
        bare.closeSync();
        return ratio;
      },
    },
    {
      name: "memory-level",
      title: "flights in memory / bytes of their CSV",
      unit: "x",
      target: { atMost: 1 / 6 },
      value: async (bench) => {
        const path = await flightsCsv(bench.cache);
        await using driver = await startDriver(bench);
        await loadAgain(driver.client, path);
        await driver.client.sql("SELECT count(delay) FROM flights").rows();
        const residentBytes = await whenResident(driver.client, "flights");
        return residentBytes / (await stat(path)).size;
      },
    },
    {
      name: "load-wide",
      title: "CSV of 2,000 columns with memory 1 GB / bare COPY with explicit columns",
      unit: "x",
      target: { atMost: 1.3 },
      value: async (bench) => {
        const path = await wideCsv(bench.cache);
        await using driver = await startDriver(bench, ["--memory", "1GB"]);
        const bare = await bareEngine({ ...loaderSettings, memory_limit: "1GB" });
        const columns = Array.from({ length: 2000 }, (_, column) => `c${column}: 'BIGINT'`).join(", ");
        const ratio = await pairedRatio(
          3,
          () => loadAgain(driver.client, path),
          () =>
            copy(
              bench,
              bare.run.bind(bare),
              `read_csv('${path}', auto_detect=false, header=true, columns={${columns}})`,
              // With the default of 122,880 rows a group the bare engine does not finish in 1 GB.
              copyOptions.replace("122880", "2048"),
            ),
        );
        bare.closeSync();
        return ratio;
      },
    },
  ],
};

/** Loads a CSV as `flights`; a load into memory that follows is over when it answers, so that it does not disturb the other side. */
async function loadAgain(client: Drover, path: string): Promise<void> {
  const load = await client.load("flights", { uri: path });
  await load.result();
}

async function copy(
  bench: Bench,
  run: (sql: string) => Promise<unknown>,
  relation: string,
  options = copyOptions,
): Promise<void> {
  const folder = await mkdtemp(join(bench.folder, "copy-"));
  await run(`COPY (FROM ${relation}) TO '${folder}' (${options}, OVERWRITE_OR_IGNORE)`);
  await rm(folder, { recursive: true });
}

/** Waits until a dataset is in memory; answers the bytes that it takes there. */
export async function whenResident(client: Drover, name: string): Promise<number> {
  for (let tries = 0; tries < 600; tries++) {
    const { resident, residentBytes } = await client.dataset(name);
    if (resident) return residentBytes;
    await sleep(100);
  }
  throw new Error(`${name} did not get into memory within a minute`);
}
