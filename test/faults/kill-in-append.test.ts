import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { expect, test } from "vitest";
import { type AppendRow, connect, type Drover } from "../../clients/node/src/index.ts";
import { startDriver } from "../helpers/driver.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";

const streams = 3;
const rounds = 5;
const total = 600;
const seed = Math.floor(Math.random() * 2 ** 31);

/** Rows of one stream, a few at a time, so that there are many small flushes to be merged. */
async function* rows(stream: number, pauseMs: number): AsyncGenerator<AppendRow> {
  for (let row = 0; row < total; row++) {
    yield { n: stream * total + row };
    if (row % 5 === 4) await setTimeout(pauseMs);
  }
}

async function durableRows(drover: Drover): Promise<number> {
  const statuses = await Promise.all(
    Array.from({ length: streams }, (_, stream) => drover.appendStatus("a", `stream-${stream}`)),
  );
  return statuses.reduce((sum, status) => sum + status.rows, 0);
}

/** What the dataset says of itself, and what its segments hold. */
async function contents(drover: Drover): Promise<readonly number[]> {
  const [row] = [...(await drover.sql("SELECT count(*) AS c, count(DISTINCT n) AS d FROM a").rows())];
  return [(await drover.dataset("a")).version.rows, Number(row?.c), Number(row?.d)];
}

test(`a driver that is killed at random while rows are appended and merged keeps each of them once (seed ${seed})`, async () => {
  await using folder = await temporaryFolder();
  let random = seed;
  const upTo = (max: number) => {
    random = (Math.imul(random, 1_103_515_245) + 12_345) >>> 0;
    return random % max;
  };
  let before = 0;
  for (let round = 0; round <= rounds; round++) {
    const isLast = round === rounds;
    await using driver = await startDriver({ dataDir: folder.path });
    await using drover = await connect(driver);
    if (round > 0) {
      const durable = await durableRows(drover);
      expect(durable).toBeGreaterThanOrEqual(before);
      if (durable > 0) expect(await contents(drover)).toEqual([durable, durable, durable]);
      before = durable;
    }
    const stop = new AbortController();
    const appending = Array.from({ length: streams }, (_, stream) =>
      drover.append("a", rows(stream, isLast ? 0 : 60), {
        create: { n: "BIGINT" },
        appendId: `stream-${stream}`,
        signal: stop.signal,
      }),
    );
    if (isLast) {
      for (const status of await Promise.all(appending)) expect(status.rows).toBe(total);
      expect(await contents(drover)).toEqual([streams * total, streams * total, streams * total]);
      expect(await readdir(join(folder.path, "staging"))).toEqual([driver.instanceId]);
    } else {
      await setTimeout(500 + upTo(2_500));
      driver.process.kill("SIGKILL");
      stop.abort();
      for (const { status } of await Promise.allSettled(appending)) expect(status).toBe("rejected");
    }
  }
});
