import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { openCatalog } from "../../../src/catalog/catalog.ts";
import { claimInstance } from "../../../src/catalog/instance.ts";
import { type DueRun, Scheduler } from "../../../src/loading/refresh/scheduler.ts";
import { openRefreshBench, type RefreshBench } from "../../helpers/refresh-bench.ts";

// Each of these starts workers and loads; a busy machine takes its time.
vi.setConfig({ testTimeout: 240_000 });

const MINUTE_MS = 60_000;
const asker = { requestedBy: "test", caller: "test" };
const { signal } = new AbortController();

let test: RefreshBench;

/** One bench for a group of tests, each of which begins without datasets. */
function share(): void {
  beforeAll(async () => {
    test = await openRefreshBench();
  });
  afterEach(async () => {
    await test.scheduler.settled();
    for (const { name } of test.bench.datasets.list({ labels: {} })) await test.bench.datasets.delete(name);
    expect(test.errors).toEqual([]);
  });
  afterAll(() => test[Symbol.asyncDispose]());
}

/** Loads a file into a dataset of its name, which is refreshed every 15 minutes. */
async function scheduled(name: string): Promise<string> {
  const file = join(test.bench.path, `${name}.csv`);
  await writeFile(file, "a\n1\n");
  const { operation } = await test.bench.loads.load({
    dataset: name,
    source: { uri: file, format: "csv", options: {} },
    labels: {},
    ...asker,
  });
  await test.bench.end(operation.id);
  await test.refresh.setSchedule(name, { everyMs: 15 * MINUTE_MS });
  return file;
}

const version = (name: string) => test.bench.datasets.get(name).current.number;
const status = (name: string) => test.refresh.status(test.bench.datasets.get(name));
const minutesLeft = async (name: string) =>
  Math.round((((await status(name))?.nextTime?.getTime() ?? Number.NaN) - test.now().getTime()) / MINUTE_MS);

async function look(scheduler = test.scheduler): Promise<void> {
  await scheduler.look();
  await scheduler.settled();
}

async function due(): Promise<readonly DueRun[]> {
  const runs: DueRun[] = [];
  for await (const run of test.scheduler.runDue({ signal })) runs.push(run);
  return runs;
}

describe("a scheduler", () => {
  share();

  it("refreshes when it is time, and not before", async () => {
    await scheduled("a");
    expect(await minutesLeft("a")).toBe(15);
    await look();
    expect(version("a")).toBe(1);
    test.pass(15 * MINUTE_MS);
    await look();
    expect(version("a")).toBe(2);
    expect(await minutesLeft("a")).toBe(15);
    expect(test.bench.operations.get((await status("a"))?.last?.operationId ?? "").requestedBy).toBe("schedule");
    await look();
    expect(version("a")).toBe(2);
  });

  it("makes up once what was missed while no driver ran", async () => {
    await scheduled("a");
    test.pass(24 * 60 * MINUTE_MS + 7 * MINUTE_MS);
    await look();
    await look();
    expect(version("a")).toBe(2);
    expect(await minutesLeft("a")).toBe(8);
  });

  it("tries later and later what fails, and is back in step once it succeeds", async () => {
    const file = await scheduled("a");
    await rm(file);
    // The source must be mended by somebody, so it is not tried sooner than the schedule says.
    for (const [failures, minutes] of [
      [1, 15],
      [2, 15],
      [3, 15],
      [4, 15],
      [5, 16],
      [6, 32],
    ] as const) {
      test.pass((await minutesLeft("a")) * MINUTE_MS + 1_000);
      await look();
      expect(await status("a")).toMatchObject({ failures, last: { error: { reason: "SOURCE_NOT_FOUND" } } });
      expect(await minutesLeft("a")).toBeGreaterThanOrEqual(minutes - 1);
      expect(await minutesLeft("a")).toBeLessThan(minutes + 15);
    }
    await writeFile(file, "a\n1\n");
    test.pass((await minutesLeft("a")) * MINUTE_MS + 1_000);
    await look();
    expect(await status("a")).toMatchObject({ failures: 0 });
    expect(version("a")).toBe(2);
    expect(await minutesLeft("a")).toBeLessThanOrEqual(15);
  });

  it("comes again soon where something else is loaded just then, and counts no failure", async () => {
    await scheduled("a");
    const other = join(test.bench.path, "other.csv");
    await writeFile(other, `a\n${"1\n".repeat(500_000)}`);
    test.pass(15 * MINUTE_MS);
    const held = await test.bench.holdLoads();
    const { operation } = await test.bench.start("a", other);
    await look();
    expect((await status("a"))?.failures).toBe(0);
    expect(await minutesLeft("a")).toBe(0);
    await held[Symbol.asyncDispose]();
    await test.bench.end(operation.id);
  });

  it("runs no more at once than it may, and then the rest", async () => {
    const names = ["a", "b", "c", "d", "e"];
    for (const name of names) await scheduled(name);
    test.pass(15 * MINUTE_MS);
    await test.scheduler.look();
    expect(test.bench.operations.live).toBeLessThanOrEqual(2);
    await expect.poll(() => names.map(version), { timeout: 30_000 }).toEqual([2, 2, 2, 2, 2]);
    await test.scheduler.settled();
  });

  it("goes on where the end of a refresh could not be noted", async () => {
    await scheduled("a");
    test.pass(15 * MINUTE_MS);
    const full = new Error("the disk is full");
    const release = vi.spyOn(test.bench.catalog.refreshes, "release").mockRejectedValueOnce(full);
    await look();
    release.mockRestore();
    expect(test.errors.splice(0)).toEqual([full]);
    // It is due as it was, and this process's.
    await expect.poll(() => version("a")).toBe(3);
    await expect.poll(() => minutesLeft("a")).toBe(15);
  });

  it("forgets the schedule with its dataset", async () => {
    await scheduled("a");
    const { uid } = test.bench.datasets.get("a");
    await test.bench.datasets.delete("a");
    expect(await test.bench.catalog.refreshes.find(uid)).toBeUndefined();
    test.pass(15 * MINUTE_MS);
    await look();
    expect(test.bench.operations.live).toBe(0);
  });

  it("is not put off by a clock that is set back", async () => {
    await scheduled("a");
    await look();
    test.pass(-24 * 60 * MINUTE_MS);
    await look();
    expect(await minutesLeft("a")).toBe(15);
  });

  it("is wanted while something is due soon", async () => {
    await scheduled("a");
    expect(test.scheduler.isWantedWithin(30 * MINUTE_MS)).toBe(false);
    await look();
    expect(test.scheduler.isWantedWithin(30 * MINUTE_MS)).toBe(true);
    expect(test.scheduler.isWantedWithin(10 * MINUTE_MS)).toBe(false);
    await test.refresh.setSchedule("a", undefined);
    await look();
    expect(test.scheduler.isWantedWithin(30 * MINUTE_MS)).toBe(false);
  });

  it("that is told to runs whatever is due, and says what came of each", async () => {
    await scheduled("a");
    const file = await scheduled("b");
    await scheduled("c");
    await rm(file);
    await test.refresh.setSchedule("c", { everyMs: 60 * MINUTE_MS });
    expect(await due()).toEqual([]);
    test.pass(15 * MINUTE_MS);
    const runs = (await due()).toSorted((one, other) => (one.dataset < other.dataset ? -1 : 1));
    expect(runs).toMatchObject([
      { dataset: "a", operation: { state: "succeeded" } },
      { dataset: "b", operation: { state: "failed" }, error: { reason: "SOURCE_NOT_FOUND" } },
    ]);
    expect(await due()).toEqual([]);
    expect([version("a"), version("b"), version("c")]).toEqual([2, 1, 1]);
  });

  it("that is told to also waits for what it has begun by itself", async () => {
    await scheduled("a");
    test.pass(15 * MINUTE_MS);
    const held = await test.bench.holdLoads();
    await test.scheduler.look();
    const told = due();
    // The catalog answers in turn: it has been asked what is due.
    await status("a");
    await held[Symbol.asyncDispose]();
    expect(await told).toMatchObject([{ dataset: "a", operation: { state: "succeeded" } }]);
    expect(version("a")).toBe(2);
  });
});

describe("several processes over one data directory", () => {
  share();

  /** Another driver process: its own instance and catalog, but this one's loads. */
  async function another(id: string) {
    const stack = new AsyncDisposableStack();
    const { dataDirectory, datasets, operations } = test.bench;
    await mkdir(dataDirectory, { recursive: true });
    const instance = stack.use(await claimInstance({ dataDirectory, id }));
    const { refreshes } = stack.use(await openCatalog({ dataDirectory, instance }));
    const parts = {
      datasets,
      operations,
      refreshes,
      service: test.refresh,
      now: () => test.now(),
      isServing: () => true,
    };
    const scheduler = stack.use(
      new Scheduler({ ...parts, maxAtOnce: 2, onError: (error) => expect(error).toBeUndefined() }),
    );
    return { scheduler, refreshes, [Symbol.asyncDispose]: () => stack.disposeAsync() };
  }

  it("have one that refreshes, and another when that one is gone", async () => {
    await scheduled("a");
    {
      await using other = await another("other");
      await look(other.scheduler);
      test.pass(15 * MINUTE_MS);
      await look();
      expect(version("a")).toBe(1);
      expect(test.scheduler.isWantedWithin(60 * MINUTE_MS)).toBe(false);
      await look(other.scheduler);
      expect(version("a")).toBe(2);
    }
    test.pass(15 * MINUTE_MS);
    await look();
    expect(version("a")).toBe(3);
  });

  it("share out what is due, so that nothing runs twice", async () => {
    await scheduled("a");
    test.pass(15 * MINUTE_MS);
    await using other = await another("other");
    const both = async (scheduler: Scheduler) => {
      const runs: DueRun[] = [];
      for await (const run of scheduler.runDue({ signal })) runs.push(run);
      return runs;
    };
    const runs = await Promise.all([both(test.scheduler), both(other.scheduler)]);
    expect(runs.flat()).toHaveLength(1);
    expect(version("a")).toBe(2);
  });

  it("take over what a process that died was at", async () => {
    await scheduled("a");
    test.pass(15 * MINUTE_MS);
    const { uid } = test.bench.datasets.get("a");
    {
      await using other = await another("other");
      const time = (await status("a"))?.nextTime;
      expect(time && (await other.refreshes.claim(uid, time))).toBe(true);
      expect(await due()).toEqual([]);
    }
    expect(await due()).toMatchObject([{ dataset: "a" }]);
    expect(version("a")).toBe(2);
  });

  it("leave a schedule that was changed while a refresh ran as it was set", async () => {
    await writeFile(await scheduled("a"), `a\n${"1\n".repeat(500_000)}`);
    test.pass(15 * MINUTE_MS);
    const held = await test.bench.holdLoads();
    const running = due();
    await expect.poll(() => test.bench.operations.live, { timeout: 30_000 }).toBeGreaterThan(0);
    await test.refresh.setSchedule("a", { everyMs: 120 * MINUTE_MS });
    await held[Symbol.asyncDispose]();
    await running;
    expect(await minutesLeft("a")).toBe(120);
  });
});
