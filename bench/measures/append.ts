import { setTimeout as sleep } from "node:timers/promises";
import type { Drover } from "@drover/client";
import { startDriver } from "../support/driver.ts";
import type { MeasureGroup } from "../support/measure.ts";
import { median, percentile } from "../support/statistics.ts";

const create = {
  id: "BIGINT",
  name: "VARCHAR",
  price: "DECIMAL(10,2)",
  quantity: "INTEGER",
  sold_at: "TIMESTAMP",
  paid: "BOOLEAN",
  city: "VARCHAR",
  score: "DOUBLE",
};
const columns = Object.keys(create);
const cities = ["Berlin", "Paris", "Madrid", "Rome", "Lisbon", "Vienna", "Oslo", "Dublin"];
const rounds = 3;
const million = 1_000_000;

function* sales(count: number, onRow: (row: number) => void = () => undefined) {
  for (let row = 0; row < count; row++) {
    onRow(row);
    const cents = String(row % 100).padStart(2, "0");
    yield [
      ...[row, `customer-${row % 500_000}`, `${row % 1_000}.${cents}`, row % 100, "2024-02-29T12:34:56"],
      ...[row % 3 === 0, cities[row % 8], row / 7],
    ];
  }
}

export const append: MeasureGroup = {
  name: "append",
  measures: [
    {
      name: "append-rate",
      title: "rows that one client appends one by one, 8 columns, to the last one in a version",
      unit: "rows/s",
      target: { atLeast: 200_000 },
      value: async (bench) => {
        await using driver = await startDriver(bench);
        const rates: number[] = [];
        for (let round = 0; round < rounds; round++) {
          const since = performance.now();
          await driver.client.append(`sales-${round}`, sales(2 * million), { create, columns });
          rates.push((2 * million * 1_000) / (performance.now() - since));
        }
        return median(rates);
      },
    },
    {
      name: "append-visible",
      title: "a row's way from the client into an answer while the same client appends as fast as it can, p95",
      unit: "ms",
      target: { atMost: 1_000 },
      value: async (bench) => {
        await using driver = await startDriver(bench);
        return percentile(await waysOf(driver.client, 3 * million), 0.95);
      },
    },
  ],
};

/** How long every thousandth row takes from the moment when it is made to an answer that counts it. */
async function waysOf(client: Drover, count: number): Promise<number[]> {
  const made: number[] = [];
  const ways: number[] = [];
  const rows = sales(count, (row) => {
    if (row % 1_000 === 0) made.push(performance.now());
  });
  let done = false;
  const appending = client.append("live", rows, { create, columns }).finally(() => {
    done = true;
  });
  for (let seen = 0; !done || seen < made.length; ) {
    const rowsSeen = await rowsOf(client);
    const now = performance.now();
    for (; seen < Math.min(made.length, Math.ceil(rowsSeen / 1_000)); seen++) ways.push(now - Number(made[seen]));
    await sleep(10);
  }
  await appending;
  return ways;
}

async function rowsOf(client: Drover): Promise<number> {
  try {
    const [row] = [...(await client.sql("SELECT count(*) AS c FROM live").rows())];
    return Number(row?.c);
  } catch {
    // There is no such dataset before the first rows.
    return 0;
  }
}
