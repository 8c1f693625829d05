import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { DatasetStore } from "../../../src/datasets/model.ts";
import { load as loadAnySize, openStore, openTestEngine, type TestEngine } from "../../helpers/dataset-store.ts";
import { temporaryFolder } from "../../helpers/temporary-folder.ts";

// The engine of these tests says that each table takes 1 MB, so this is room for two.
const roomForTwo = { residency: { budgetBytes: 2_500_000, idleMs: 0 } };
const { signal } = new AbortController();

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let engine: TestEngine;

beforeEach(async () => {
  folder = await temporaryFolder();
  engine = await openTestEngine(folder.path);
});

afterEach(async () => {
  await engine[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

async function use(store: DatasetStore, name: string, version = 0): Promise<{ fromMemory: boolean; sum: string }> {
  await using pinned = await store.pin(name, version, { signal });
  return { fromMemory: pinned.residentTable !== undefined, sum: await engine.sum(pinned) };
}

function residents(store: DatasetStore): string[] {
  return store
    .list({ labels: {} })
    .filter(({ resident }) => resident)
    .map(({ name }) => name);
}

/** Loads a version that is as large as the engine says, so that what is estimated is so, too. */
async function load(store: DatasetStore, name: string, numbers: readonly number[]): Promise<void> {
  await loadAnySize(store, name, numbers, {}, { bytes: 800_000 });
}

async function loadResident(store: DatasetStore, name: string, numbers: readonly number[]): Promise<void> {
  await load(store, name, numbers);
  await expect.poll(() => residents(store)).toContain(name);
}

describe("the memory level", () => {
  it("takes in what was published, and answers from there", async () => {
    await using opened = await openStore(folder.path, engine.megabytes, roomForTwo);
    await loadResident(opened.store, "a", [1, 2]);
    expect(await use(opened.store, "a")).toEqual({ fromMemory: true, sum: "3" });
    expect(opened.store.get("a")).toMatchObject({ resident: true, residentBytes: 1_000_000 });
    expect(opened.store.memory()).toEqual({ budgetBytes: 2_500_000, residentBytes: 1_000_000, pinnedBytes: 0 });
    expect(opened.events).toContainEqual(
      expect.objectContaining({ type: "resident", dataset: "a", version: 1, bytes: 1_000_000 }),
    );
  });

  it("takes in on first use what was there before the start, once for many users, and serves its segments meanwhile", async () => {
    {
      await using opened = await openStore(folder.path, engine.megabytes);
      await load(opened.store, "a", [1, 2]);
    }
    await using opened = await openStore(folder.path, engine.megabytes, roomForTwo);
    const first = await Promise.all(Array.from({ length: 10 }, () => use(opened.store, "a")));
    expect(first).toContainEqual({ fromMemory: false, sum: "3" });
    expect(first.map(({ sum }) => sum)).toEqual(Array(10).fill("3"));
    await expect.poll(() => residents(opened.store)).toEqual(["a"]);
    expect(await use(opened.store, "a")).toEqual({ fromMemory: true, sum: "3" });
    expect(opened.events.filter(({ type }) => type === "resident")).toHaveLength(1);
    expect(await engine.tables()).toBe(1);
  });

  it("lets the least recently used leave for what was just published", async () => {
    await using opened = await openStore(folder.path, engine.megabytes, roomForTwo);
    const { store } = opened;
    await loadResident(store, "a", [1]);
    await loadResident(store, "b", [2]);
    await use(store, "a");
    await loadResident(store, "c", [3]);
    await expect.poll(() => residents(store)).toEqual(["a", "c"]);
    expect(opened.events).toContainEqual(
      expect.objectContaining({ type: "evicted", dataset: "b", version: 1, reason: "budget" }),
    );
    expect(await use(store, "b")).toEqual({ fromMemory: false, sum: "2" });
    expect(store.memory().residentBytes).toBeLessThanOrEqual(2_500_000);
  });

  it("brings one back that is asked for again and again, but not for a single use", async () => {
    await using opened = await openStore(folder.path, engine.megabytes, roomForTwo);
    const { store } = opened;
    for (const [index, name] of ["a", "b", "c"].entries()) await loadResident(store, name, [index]);
    await expect.poll(() => residents(store)).toEqual(["b", "c"]);
    await use(store, "a");
    for (let round = 0; round < 3; round++) {
      await use(store, "b");
      await use(store, "c");
      await use(store, "a");
    }
    expect(residents(store)).toEqual(["b", "c"]);
    await use(store, "a");
    await use(store, "a");
    await expect.poll(() => residents(store)).toEqual(["a", "c"]);
  });

  it("never evicts what is being read", async () => {
    await using opened = await openStore(folder.path, engine.megabytes, roomForTwo);
    const { store } = opened;
    await loadResident(store, "a", [1]);
    await loadResident(store, "b", [2]);
    const a = await store.pin("a", 0, { signal });
    const b = await store.pin("b", 0, { signal });
    await load(store, "c", [3]);
    await store.evict("a");
    expect(await engine.sum(a)).toBe("1");
    expect(await engine.sum(b)).toBe("2");
    expect(await use(store, "c")).toEqual({ fromMemory: false, sum: "3" });
    await a[Symbol.asyncDispose]();
    await expect.poll(() => residents(store)).toEqual(["b"]);
    await b[Symbol.asyncDispose]();
    await use(store, "c");
    await expect.poll(() => residents(store)).toEqual(["b", "c"]);
  });

  it("replaces a version by the next one of its dataset", async () => {
    await using opened = await openStore(folder.path, engine.megabytes, {
      residency: { budgetBytes: 1_500_000, idleMs: 0 },
    });
    const { store } = opened;
    await loadResident(store, "a", [1]);
    await load(store, "a", [2]);
    await expect.poll(() => store.get("a")).toMatchObject({ resident: true, current: { number: 2 } });
    expect(await use(store, "a")).toEqual({ fromMemory: true, sum: "2" });
    expect(await engine.tables()).toBe(1);
    expect(opened.events).toContainEqual(
      expect.objectContaining({ type: "evicted", version: 1, reason: "superseded" }),
    );
  });

  it("does not keep what turns out larger than the budget, nor try it again and again", async () => {
    await using opened = await openStore(folder.path, engine.megabytes, {
      residency: { budgetBytes: 900_000, idleMs: 0 },
    });
    await loadAnySize(opened.store, "a", [1]);
    await expect.poll(() => opened.events.filter(({ type }) => type === "evicted")).toHaveLength(1);
    for (let round = 0; round < 5; round++) await use(opened.store, "a");
    expect(await use(opened.store, "a")).toEqual({ fromMemory: false, sum: "1" });
    expect(opened.events.filter(({ type }) => type === "resident")).toHaveLength(1);
    expect(await engine.tables()).toBe(0);
  });

  it("keeps nothing with a budget of 0", async () => {
    await using opened = await openStore(folder.path, engine.megabytes);
    await load(opened.store, "a", [1]);
    expect(await use(opened.store, "a")).toEqual({ fromMemory: false, sum: "1" });
    expect(opened.events.map(({ type }) => type)).toEqual(["published"]);
  });

  it("lets go of what nobody uses for a while", async () => {
    await using opened = await openStore(folder.path, engine.megabytes, {
      residency: { budgetBytes: 2_500_000, idleMs: 100 },
    });
    await load(opened.store, "a", [1]);
    await expect
      .poll(() => opened.events)
      .toContainEqual(expect.objectContaining({ type: "evicted", dataset: "a", reason: "idle" }));
    expect(await engine.tables()).toBe(0);
    expect(await use(opened.store, "a")).toEqual({ fromMemory: false, sum: "1" });
  });

  it("forgets a deleted dataset's table when its last reader is done", async () => {
    await using opened = await openStore(folder.path, engine.megabytes, roomForTwo);
    await loadResident(opened.store, "a", [1]);
    const pinned = await opened.store.pin("a", 0, { signal });
    await opened.store.delete("a");
    expect(await engine.sum(pinned)).toBe("1");
    await pinned[Symbol.asyncDispose]();
    expect(await engine.tables()).toBe(0);
    expect(opened.store.memory().residentBytes).toBe(0);
  });

  it("does not fail a query when a version can't be brought in", async () => {
    const { megabytes } = engine;
    const broken = { ...megabytes, makeResident: () => megabytes.makeResident("x", noSuchVersion, { signal }) };
    await using opened = await openStore(folder.path, broken, roomForTwo);
    await load(opened.store, "a", [1]);
    await expect
      .poll(() => opened.events)
      .toContainEqual(expect.objectContaining({ type: "residencyFailed", dataset: "a" }));
    for (let round = 0; round < 5; round++) {
      expect(await use(opened.store, "a")).toEqual({ fromMemory: false, sum: "1" });
    }
    expect(opened.events.filter(({ type }) => type === "residencyFailed")).toHaveLength(1);
  });
});

const noSuchVersion = { dataset: "a", version: 1, columns: [], segmentPaths: ["/nowhere.parquet"] };
