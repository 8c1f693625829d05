import { copyFile, readdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { IncrementRule } from "../../../src/engine/increment.ts";
import type { RefreshRequest } from "../../../src/loading/refresh/model.ts";
import { sendSignal } from "../../helpers/driver-processes.ts";
import { openRefreshBench, type RefreshBench } from "../../helpers/refresh-bench.ts";

// Each of these starts workers and loads; a busy machine takes its time.
vi.setConfig({ testTimeout: 240_000 });

const asker = { requestedBy: "test", caller: "test" };
const HOUR_MS = 3_600_000;

let test: RefreshBench;
beforeAll(async () => {
  test = await openRefreshBench();
});
afterAll(async () => {
  expect(test.errors).toEqual([]);
  await test[Symbol.asyncDispose]();
});

/** A CSV file that the test changes, as a dataset of its own. */
class Table {
  readonly name: string;
  readonly file: string;
  constructor(name: string) {
    this.name = name;
    this.file = join(test.bench.path, `${name}.csv`);
  }

  write(...rows: readonly string[]): Promise<void> {
    return writeFile(this.file, ["id,at,v", ...rows, ""].join("\n"));
  }

  writeMany(rows: number, first = "0,2024-01-01,1"): Promise<void> {
    const others = Array.from({ length: rows - 1 }, (_, row) => `${row + 2},2024-01-01,1`);
    const text = [first, ...others].join("\n");
    return writeFile(this.file, `id,at,v\n${text}\n`);
  }

  async load(increment?: IncrementRule, options: Record<string, unknown> = {}) {
    const { operation } = await test.bench.loads.load({
      ...{ dataset: this.name, source: { uri: this.file, format: "csv", options }, labels: {} },
      ...(increment && { increment }),
      ...asker,
    });
    return test.bench.end(operation.id);
  }

  async refresh(more: Partial<RefreshRequest> = {}) {
    const { operation } = await test.refresh.refresh({ dataset: this.name, ...asker, ...more });
    return test.bench.end(operation.id);
  }

  get current() {
    return test.bench.datasets.get(this.name).current;
  }

  rows(): Promise<readonly string[]> {
    return test.rows(this.name);
  }
}

const keyed: IncrementRule = { watermark: "at", keys: ["id"] };

describe("a refresh", () => {
  it("reads everything again where there is no rule for increments", async () => {
    const table = new Table("full");
    await table.write("1,2024-01-01,1", "2,2024-01-02,2");
    await table.load();
    await table.write("1,2024-01-01,1");
    expect(await table.refresh()).toMatchObject({ state: "succeeded", outcome: { version: 2, rows: 1 } });
    expect(await table.rows()).toEqual(['["1","2024-01-01","1"]']);
    await expect(table.refresh({ mode: "incremental" })).rejects.toMatchObject({ reason: "INVALID_INCREMENT" });
  });

  it("adds what is new by the dataset's rule, and takes away only when it is full", async () => {
    const table = new Table("keyed");
    await table.write("1,2024-01-01,1", "2,2024-01-02,2", "3,,3");
    await table.load(keyed);
    expect(table.current.lineage.increment).toEqual(keyed);
    // 1 is deleted, 2 has changed, 3 gets its first watermark, 4 is new, 5 has none.
    await table.write("2,2024-01-03,20", "3,2024-01-02,30", "4,2024-01-04,4", "5,,5");
    expect(await table.refresh()).toMatchObject({ outcome: { version: 2, rows: 4, replacedRows: 2 } });
    expect(await table.rows()).toEqual([
      '["1","2024-01-01","1"]',
      '["2","2024-01-03","20"]',
      '["3","2024-01-02","30"]',
      '["4","2024-01-04","4"]',
    ]);
    expect(table.current.lineage.increment).toEqual(keyed);
    expect(await table.refresh({ mode: "full" })).toMatchObject({ outcome: { version: 3, rows: 4 } });
    expect(await table.rows()).toContain('["5",null,"5"]');
    expect(await table.rows()).not.toContain('["1","2024-01-01","1"]');
  });

  it("makes no new version where nothing is new, but knows that it has looked", async () => {
    const table = new Table("still");
    await table.write("1,2024-01-01,1", "2,2024-01-02,2");
    await table.load({ watermark: "at", keys: [] });
    const before = await test.refresh.freshTime(test.bench.datasets.get(table.name));
    expect(await table.refresh()).toMatchObject({ outcome: { version: 1, unchanged: true, rows: 2 } });
    expect(table.current.number).toBe(1);
    const after = await test.refresh.freshTime(test.bench.datasets.get(table.name));
    expect(after.getTime()).toBeGreaterThan(before.getTime());
  });

  it("reads ties at the greatest value again, so that none is missed or doubled", async () => {
    const table = new Table("ties");
    await table.write("1,2024-01-02,1", "2,2024-01-02,2");
    await table.load({ watermark: "at", keys: [] });
    await table.write("1,2024-01-02,1", "2,2024-01-02,2", "3,2024-01-02,3");
    expect(await table.refresh()).toMatchObject({ outcome: { rows: 3 } });
    expect(await table.rows()).toHaveLength(3);
  });

  it("reads so far before the greatest value as the overlap says", async () => {
    const table = new Table("late");
    await table.write("1,2024-01-01,1", "2,2024-01-10,2");
    await table.load({ ...keyed, overlap: { ms: 24 * HOUR_MS } });
    await table.write("1,2024-01-01,1", "2,2024-01-10,2", "3,2024-01-09,3", "4,2024-01-08,4");
    await table.refresh();
    expect((await table.rows()).map((row) => JSON.parse(row)[0])).toEqual(["1", "2", "3"]);
  });

  it("takes everything for new while no row has a watermark", async () => {
    const table = new Table("unmarked");
    await table.write("1,,1");
    const rule = { watermark: "at", keys: [] };
    await table.load(rule, { types: "at=DATE" });
    await table.write("2,,2", "3,2024-01-01,3");
    const { id } = await table.refresh();
    expect(await table.rows()).toEqual(['["2",null,"2"]', '["3","2024-01-01","3"]']);
    const warnings = (await test.bench.events(id)).filter(({ type }) => type === "warning");
    expect(warnings).toEqual([{ type: "warning", message: expect.stringContaining("everything is read") }]);
    expect(table.current.lineage.increment).toEqual(rule);
  });

  it("takes another rule over for later refreshes", async () => {
    const table = new Table("changed-rule");
    await table.write("1,2024-01-01,1");
    await table.load();
    await table.write("1,2024-01-01,1", "2,2024-01-02,2");
    expect(await table.refresh({ increment: keyed })).toMatchObject({ outcome: { rows: 2, version: 2 } });
    await table.write("2,2024-01-02,3");
    expect(await table.refresh()).toMatchObject({ outcome: { rows: 2, version: 3, replacedRows: 1 } });
  });

  it("fails with the reason where the source's columns have changed, and keeps what there is", async () => {
    const table = new Table("schema");
    await table.write("1,2024-01-01,1");
    await table.load(keyed);
    await table.write("1,2024-01-01,1", "2,2024-01-02,two");
    const ended = await table.refresh();
    expect(ended).toMatchObject({ state: "failed", error: { reason: "SCHEMA_CHANGED" } });
    expect(ended.error?.message).toBe('column 3 of "schema" is "v" BIGINT; the source now has "v" VARCHAR');
    expect(table.current.number).toBe(1);
    const status = () => test.refresh.status(test.bench.datasets.get(table.name));
    const last = { operationId: ended.id, error: { reason: "SCHEMA_CHANGED" } };
    await expect.poll(status).toMatchObject({ failures: 1, last });
    expect(await table.refresh({ mode: "full" })).toMatchObject({ state: "succeeded" });
    await expect.poll(status).toMatchObject({ failures: 0 });
  });

  it.each([
    ["a watermark that there is not", { watermark: "nothing", keys: [] }, "no column"],
    ["a watermark of text", { watermark: "v", keys: [] }, "is VARCHAR"],
    ["a key that there is not", { watermark: "at", keys: ["ID"] }, 'did you mean "id"'],
    ["a number before a date", { ...keyed, overlap: { amount: 1 } }, "must be a time"],
    ["a time before a number", { watermark: "id", keys: [], overlap: { ms: 1 } }, "must be a number"],
  ] as const)("refuses %s", async (_, rule: IncrementRule, message) => {
    const table = new Table("refused");
    await table.write("1,2024-01-01,x");
    expect(await table.load(rule)).toMatchObject({
      state: "failed",
      error: { reason: "INVALID_INCREMENT", message: expect.stringContaining(message) },
    });
  });

  it("is joined by those who ask for the same, but not by those who ask for something else", async () => {
    const table = new Table("shared");
    await table.write("1,2024-01-01,1");
    await table.load(keyed);
    await table.write("1,2024-01-01,1", "2,2024-01-02,2");
    const ask = (more: Partial<RefreshRequest> = {}) =>
      test.refresh.refresh({ dataset: table.name, ...asker, ...more });
    const held = await test.bench.holdLoads();
    const first = await ask();
    const second = await ask();
    expect([first.joined, second.joined]).toEqual([false, true]);
    await expect(ask({ mode: "full" })).rejects.toMatchObject({ reason: "LOAD_CONFLICT" });
    await held[Symbol.asyncDispose]();
    const ends = await Promise.all([test.bench.end(first.operation.id), test.bench.end(second.operation.id)]);
    expect(ends.map(({ outcome }) => outcome?.version)).toEqual([2, 2]);
  });

  it("starts over where another version was published meanwhile, and loses nothing of it", async () => {
    const table = new Table("overtaken");
    await table.writeMany(1_000);
    await table.load(keyed);
    // Somebody else's version with one more row, as an append makes one.
    const other = new Table("other");
    await other.write("999999,2024-01-01,9");
    await other.load();
    const { signal } = new AbortController();
    await using base = await test.bench.datasets.pin(table.name, 0, { signal });
    await using more = await test.bench.datasets.pin(other.name, 0, { signal });
    await using staged = await test.bench.datasets.stage(table.name);
    const kept = await staged.keep(base, base.manifest.segments);
    await copyFile(more.segmentPaths[0] ?? "", join(staged.directory, "added.parquet"));
    const added = more.manifest.segments.map((segment) => ({ ...segment, file: "added.parquet" }));
    // The refresh has so much to read that it is not done before the version is published.
    await table.writeMany(300_000, "1,2024-01-02,2");
    const { operation } = await test.refresh.refresh({ dataset: table.name, ...asker });
    for await (const event of test.bench.operations.watch(operation.id, { signal }))
      if (event.type === "progress" && event.progress.phase === "reading") break;
    const held = test.bench.holdWorkers();
    const segments = [...kept, ...added];
    const published = await staged.publish({ ...base.manifest, segments, rows: base.manifest.rows + 1 }, {});
    expect(published.current.number).toBe(2);
    held[Symbol.dispose]();
    expect(await test.bench.end(operation.id)).toMatchObject({ state: "succeeded", outcome: { version: 3 } });
    const rows = await table.rows();
    expect(rows).toContain('["999999","2024-01-01","9"]');
    expect(rows).toContain('["1","2024-01-02","2"]');
  });

  it("goes on where a worker has died that looked for the watermark or merged, and leaves nothing of it", async () => {
    const table = new Table("dying");
    await table.writeMany(1_000);
    await table.load(keyed);
    await table.writeMany(300_000, "1,2024-01-02,2");
    const signalAll = (name: NodeJS.Signals) => {
      for (const pid of test.bench.workerPids()) sendSignal(pid, name);
    };
    signalAll("SIGSTOP");
    const { operation } = await test.refresh.refresh({ dataset: table.name, ...asker });
    await expect.poll(() => test.bench.workers.status().busy).toBe(1);
    signalAll("SIGKILL");
    const { signal } = new AbortController();
    for await (const event of test.bench.operations.watch(operation.id, { signal }))
      if (event.type === "progress" && event.progress.phase === "merging") break;
    signalAll("SIGKILL");
    expect(await test.bench.end(operation.id)).toMatchObject({ state: "succeeded", outcome: { version: 2 } });
    expect((await table.rows()).length).toBe(300_001);
    await using version = await test.bench.datasets.pin(table.name, 0, { signal });
    const folder = dirname(version.segmentPaths[0] ?? "");
    const files = (await readdir(folder)).filter((name) => name.startsWith("merged-"));
    expect(files.sort()).toEqual(
      version.manifest.segments
        .map(({ file }) => file)
        .filter((file) => file.startsWith("merged-"))
        .sort(),
    );
  });

  it("says that a dataset was not loaded from a source", async () => {
    const { signal } = new AbortController();
    const table = new Table("sourceless");
    await table.write("1,2024-01-01,1");
    await table.load();
    {
      await using base = await test.bench.datasets.pin(table.name, 0, { signal });
      await using staged = await test.bench.datasets.stage(table.name);
      const segments = await staged.keep(base, base.manifest.segments);
      const lineage = { format: "", uri: "", options: {}, operationId: "" };
      await staged.publish({ ...base.manifest, segments, lineage }, {});
    }
    await expect(table.refresh()).rejects.toMatchObject({ reason: "NOT_REFRESHABLE" });
    const every = { everyMs: HOUR_MS };
    await expect(test.refresh.setSchedule(table.name, every)).rejects.toMatchObject({ reason: "NOT_REFRESHABLE" });
  });
});

describe("a question with an age limit", () => {
  const fresh = (dataset: string, maxAgeMs: number, allowStale = false) =>
    test.refresh.refreshing(dataset, { maxAgeMs, allowStale }, asker);
  const settle = async (found: Awaited<ReturnType<typeof fresh>>) => {
    const phases = new Set<string>();
    const { signal } = new AbortController();
    await found?.load.wait({ signal, onProgress: ({ phase }) => phases.add(phase) });
    return phases;
  };

  it("needs nothing where the version is young enough, and a refresh where it is not", async () => {
    const table = new Table("aging");
    await table.write("1,2024-01-01,1");
    await table.load();
    expect(await fresh(table.name, HOUR_MS)).toBeUndefined();
    test.pass(2 * HOUR_MS);
    const held = await test.bench.holdLoads();
    const found = await fresh(table.name, HOUR_MS);
    expect(found?.isNew).toBe(true);
    // Whoever comes now waits for the same one.
    const second = await fresh(table.name, HOUR_MS);
    expect(second?.isNew).toBe(false);
    const settled = settle(found);
    await held[Symbol.asyncDispose]();
    expect(await settled).toContain("publishing");
    await settle(second);
    expect(table.current.number).toBe(2);
  });

  it("is as young as its source's reading, not as its publishing", async () => {
    const table = new Table("slow");
    await table.write("1,2024-01-01,1");
    const { datasets } = test.bench;
    const { stage } = datasets;
    let isRead = Number.NaN;
    const staging = vi.spyOn(datasets, "stage").mockImplementation(async (...args) => {
      const staged = await stage.apply(datasets, args);
      const publish: typeof staged.publish = async (...content) => {
        isRead = Date.now();
        await setTimeout(10);
        return staged.publish(...content);
      };
      return { ...staged, publish };
    });
    await table.load();
    staging.mockRestore();
    const { readTime = "", operationId } = table.current.lineage;
    const begun = test.bench.operations.get(operationId).createTime;
    expect(Date.parse(readTime)).toBeGreaterThanOrEqual(begun.getTime());
    expect(Date.parse(readTime)).toBeLessThanOrEqual(isRead);
    expect(Date.parse(table.current.createTime)).toBeGreaterThan(isRead);
  });

  it("is as old as the version that was made current again, whatever was seen of later ones", async () => {
    const table = new Table("restored");
    await table.write("1,2024-01-01,1");
    await table.load(keyed);
    const info = () => test.bench.datasets.get(table.name);
    const first = await test.refresh.freshTime(info());
    await table.write("1,2024-01-01,1", "2,2024-01-02,2");
    await table.refresh();
    expect(await table.refresh()).toMatchObject({ outcome: { unchanged: true, version: 2 } });
    await test.refresh.noteRestored(await test.bench.datasets.rollback(table.name, 1, new AbortController()));
    expect(await test.refresh.freshTime(info())).toEqual(first);
    // An increment goes on from there.
    expect(await table.refresh()).toMatchObject({ outcome: { version: 4, rows: 2 } });
    expect(table.current.lineage).toMatchObject({ mixed: true, increment: keyed });
  });

  it("gets the old version at once where it allows that, while the refresh runs", async () => {
    const table = new Table("stale");
    await table.write("1,2024-01-01,1");
    await table.load();
    test.pass(2 * HOUR_MS);
    const held = await test.bench.holdLoads();
    expect(await fresh(table.name, HOUR_MS, true)).toBeUndefined();
    expect(table.current.number).toBe(1);
    await held[Symbol.asyncDispose]();
    await expect.poll(() => table.current.number, { timeout: 30_000 }).toBe(2);
  });

  it("fails with the refresh, and does not try again and again where staleness is allowed", async () => {
    const table = new Table("broken");
    await table.write("1,2024-01-01,1");
    await table.load();
    await rm(table.file);
    test.pass(2 * HOUR_MS);
    await expect(fresh(table.name, HOUR_MS).then(settle)).rejects.toMatchObject({ reason: "SOURCE_NOT_FOUND" });
    const status = () => test.refresh.status(test.bench.datasets.get(table.name));
    await expect.poll(status, { timeout: 30_000 }).toMatchObject({ failures: 1 });
    const last = (await status())?.last?.operationId;
    await fresh(table.name, HOUR_MS, true);
    expect((await status())?.last?.operationId).toBe(last);
    test.pass(120_000);
    await fresh(table.name, HOUR_MS, true);
    await expect.poll(status, { timeout: 30_000 }).toMatchObject({ failures: 2 });
  });

  it("stops a refresh that nobody else waits for when its asker leaves", async () => {
    const table = new Table("left");
    await table.writeMany(200_000);
    await table.load();
    test.pass(2 * HOUR_MS);
    const found = await fresh(table.name, 0);
    const left = new AbortController();
    const waiting = found?.load.wait({ signal: left.signal, onProgress: () => undefined });
    left.abort(new Error("left"));
    await expect(waiting).rejects.toThrow("left");
    const id = found?.load.operationId ?? "";
    await expect.poll(() => test.bench.operations.get(id).state).toBe("cancelled");
    expect(table.current.number).toBe(1);
  });

  it("waits for a load of something else before it asks for its own", async () => {
    const table = new Table("conflict");
    await table.write("1,2024-01-01,1");
    await table.load();
    test.pass(2 * HOUR_MS);
    const held = await test.bench.holdLoads();
    const { operation } = await test.bench.start(table.name, table.file, { options: { header: true } });
    const found = await fresh(table.name, HOUR_MS);
    expect(found?.isNew).toBe(false);
    await held[Symbol.asyncDispose]();
    await settle(found);
    expect(await test.bench.end(operation.id)).toMatchObject({ state: "succeeded" });
  });
});
