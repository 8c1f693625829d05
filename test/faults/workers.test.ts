import { once } from "node:events";
import { createWriteStream, existsSync } from "node:fs";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connectByAddressFile, type Drover } from "@drover/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startDriver, type TestDriver } from "../helpers/driver.ts";
import { holdFile } from "../helpers/held-file.ts";
import { usageOf, workersOf } from "../helpers/process-tree.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";

const seed = Number(process.env.DROVER_TEST_SEED ?? Date.now() % 100_000);
const ROWS = 1_500_000;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let big: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  big = join(folder.path, "big.csv");
  const stream = createWriteStream(big);
  stream.write("id,group,text\n");
  for (let row = 0; row < ROWS; row += 50_000) {
    const line = (_: unknown, index: number) =>
      `${row + index},${(row + index) % 97},some text of row ${row + index}\n`;
    if (!stream.write(Array.from({ length: 50_000 }, line).join(""))) await once(stream, "drain");
  }
  stream.end();
  await once(stream, "close");
});
afterAll(() => folder[Symbol.asyncDispose]());

function connect(driver: TestDriver): Promise<Drover> {
  return connectByAddressFile({ dataDirectory: driver.dataDir });
}

const staged = (driver: TestDriver) => readdir(join(driver.dataDir, "staging", driver.instanceId)).catch(() => []);

async function workerAtWork(driver: TestDriver, known: readonly number[] = []): Promise<number> {
  let found: number | undefined;
  const look = async () => {
    found = (await workersOf(driver.pid)).find((pid) => !known.includes(pid));
    return found;
  };
  await expect.poll(look).toBeDefined();
  return found ?? expect.unreachable();
}

describe("a worker that is killed", () => {
  let driver: TestDriver;
  let drover: Drover;
  beforeAll(async () => {
    // A load that goes on beside the one whose workers are killed takes a place of its own.
    driver = await startDriver({ args: ["--pools-loaders-size", "2"] });
    drover = await connect(driver);
    await (await drover.load("kept", { uri: big })).result();
  });
  afterAll(async () => {
    await drover.close();
    await driver[Symbol.asyncDispose]();
  });

  test(`once, at any moment, costs its load a second try (seed ${seed})`, async () => {
    const random = randomOf(seed);
    for (let round = 0; round < 4; round++) {
      const load = await drover.load("kept", { uri: big });
      const pid = await workerAtWork(driver);
      await sleep(random() * 900);
      kill(pid);
      const { dataset } = await load.result();
      expect(dataset.version.rows).toBe(ROWS);
      expect(await staged(driver)).toEqual([]);
      // One that was killed after its load, and lent to the next one before the driver knows, would cost that one its second try.
      await expect.poll(() => driver.log()).toContain(`"message":"a worker has ended","pid":${pid},`);
    }
    const rows = await drover.sql("SELECT count(*) AS n, count(DISTINCT id) AS ids FROM kept").rows();
    expect(rows).toEqual([{ n: BigInt(ROWS), ids: BigInt(ROWS) }]);
  });

  test("twice fails its load with a reason, leaves the version before, and disturbs no other load", async () => {
    const before = (await drover.dataset("kept")).version.number;
    for (const pid of await workersOf(driver.pid)) kill(pid);
    await expect.poll(() => workersOf(driver.pid)).toEqual([]);
    await using held = await holdFile("other.csv", "id,text\n1,a\n2,b\n");
    const other = await drover.load("other", { uri: held.uri });
    await held.asked;
    // The only worker there is, as none is kept or lent ahead: a load of a large file takes several.
    const spared = await workersOf(driver.pid);
    expect(spared).toHaveLength(1);
    const doomed = await drover.load("kept", { uri: big, options: { types: { text: "VARCHAR" } } });
    let end: unknown;
    void doomed.result().then(
      () => {
        end = "succeeded";
      },
      (error: unknown) => {
        end = error;
      },
    );
    await expect
      .poll(async () => {
        if (end === undefined) for (const pid of await workersOf(driver.pid)) if (!spared.includes(pid)) kill(pid);
        return end;
      })
      .toBeDefined();
    // Where this process stalls, the second try may get through.
    expect(["WORKER_CRASHED", "succeeded"]).toContain((end as { reason?: string }).reason ?? end);
    held.letGo();
    expect((await other.result()).dataset.version.rows).toBe(2);
    const { version } = await drover.dataset("kept");
    expect(version.number).toBe(end === "succeeded" ? before + 1 : before);
    expect(await staged(driver)).toEqual([]);
  });

  test("together with its driver leaves nothing that the next driver does not clear away", async () => {
    await using victim = await startDriver();
    const client = await connect(victim);
    await client.load("big", { uri: big });
    const pid = await workerAtWork(victim);
    await victim.stop("SIGKILL");
    await client.close();
    await expect.poll(() => existsSync(`/proc/${pid}`)).toBe(false);
    await using next = await startDriver({ dataDir: victim.dataDir });
    await expect.poll(() => readdir(join(next.dataDir, "work"))).toEqual([next.instanceId]);
    expect(await readdir(join(next.dataDir, "staging"))).toEqual([]);
  });
});

test("2,000 columns are loaded within the memory of one worker, however it is divided", async () => {
  const wide = join(folder.path, "wide.csv");
  const columns = Array.from({ length: 2_000 }, (_, column) => `c${column}`);
  const lines = Array.from({ length: 9_000 }, (_, row) => columns.map((_, column) => (row * 7919 + column) % 99_991));
  await writeFile(wide, [columns, ...lines].map((cells) => cells.join(",")).join("\n"));
  for (const memory of ["1GB", "2GB"]) {
    await using driver = await startDriver({ args: ["--memory", memory] });
    await using drover = await connect(driver);
    const { dataset } = await (await drover.load("wide", { uri: wide })).result();
    expect([dataset.version.rows, dataset.columns.length]).toEqual([9_000, 2_000]);
  }
});

test("loads and queries at once keep to the memory and to the CPUs that they were given, and both get on", async () => {
  const memory = 1e9;
  await using driver = await startDriver({ args: ["--memory", "1GB", "--threads", "1", "--pools-loaders-size", "2"] });
  await using drover = await connect(driver);
  await (await drover.load("big", { uri: big })).result();
  const peak = { bytes: 0 };
  const watching = new AbortController();
  const pids = new Map<number, number>();
  const watch = async () => {
    while (!watching.signal.aborted) {
      const all = [driver.pid, ...(await workersOf(driver.pid).catch(() => []))];
      const usages = await Promise.all(all.map(async (pid) => [pid, await usageOf(pid)] as const));
      for (const [pid, usage] of usages) if (usage) pids.set(pid, usage.cpuSeconds);
      peak.bytes = Math.max(
        peak.bytes,
        usages.reduce((sum, [, usage]) => sum + (usage?.privateBytes ?? 0), 0),
      );
      await sleep(20);
    }
  };
  const since = performance.now();
  const all = [driver.pid, ...(await workersOf(driver.pid))];
  const usages = await Promise.all(all.map((pid) => usageOf(pid)));
  const cpuBefore = usages.reduce((sum, usage) => sum + (usage?.cpuSeconds ?? 0), 0);
  const watched = watch();
  const loads = await Promise.all(["one", "two"].map((name) => drover.load(name, { uri: big })));
  const calm = new AbortController();
  let answered = 0;
  const asking = async () => {
    while (!calm.signal.aborted) {
      await drover.sql("SELECT text, count(*), sum(id) FROM big GROUP BY text ORDER BY 2 DESC, 1 LIMIT 10").rows();
      answered++;
    }
  };
  const askers = Array.from({ length: 4 }, asking);
  const done = async () => {
    const running = await Promise.all(loads.map(({ operationId }) => drover.operation(operationId)));
    return Math.max(...running.map(({ progress }) => progress?.fraction ?? 0));
  };
  await expect.poll(done).toBeGreaterThan(0.02);
  await expect.poll(() => answered).toBeGreaterThan(0);
  calm.abort();
  for (const load of loads) expect((await load.result()).dataset.version.rows).toBe(ROWS);
  watching.abort();
  await Promise.all([watched, ...askers]);
  // From before the first look at the CPU time to after the last one.
  const wallSeconds = (performance.now() - since) / 1000;
  const cpuSeconds = [...pids.values()].reduce((sum, seconds) => sum + seconds, 0) - cpuBefore;
  expect(peak.bytes).toBeLessThan(memory);
  // Ticks of 10 ms in each process, and the time between the last two looks.
  expect(cpuSeconds).toBeLessThan(wallSeconds + 0.5);
});

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

/** Numbers from 0 to 1 that are the same for the same seed (Park and Miller, 1988). */
function randomOf(start: number): () => number {
  let state = (start % 2147483646) + 1;
  return () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
}
