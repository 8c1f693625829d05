import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { DatasetStore } from "../../../src/datasets/model.ts";
import { load as loadAnySize, openStore, openTestEngine, type TestEngine } from "../../helpers/dataset-store.ts";
import { temporaryFolder } from "../../helpers/temporary-folder.ts";

// The engine of these tests says that each table takes 1 MB.
const roomFor = (tables: number) => ({ residency: { budgetBytes: tables * 1_000_000 + 500_000, idleMs: 0 } });
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

async function load(store: DatasetStore, name: string, numbers: readonly number[]): Promise<void> {
  await loadAnySize(store, name, numbers, {}, { bytes: 800_000 });
}

async function use(store: DatasetStore, name: string): Promise<{ fromMemory: boolean; sum: string }> {
  await using pinned = await store.pin(name, 0, { signal });
  return { fromMemory: pinned.residentTable !== undefined, sum: await engine.sum(pinned) };
}

function residents(store: DatasetStore): string[] {
  return store
    .list({ labels: {} })
    .filter(({ resident }) => resident)
    .map(({ name }) => name);
}

describe("a pinned dataset", () => {
  it("is in memory when the call ends, stays when others come, and leaves once it is released", async () => {
    await using opened = await openStore(folder.path, engine.megabytes, roomFor(2));
    const { store } = opened;
    for (const [index, name] of ["a", "b", "c"].entries()) await load(store, name, [index]);
    expect(await store.setStorageLevel("a", "pinned", { signal })).toMatchObject({
      storageLevel: "pinned",
      resident: true,
      residentBytes: 1_000_000,
    });
    expect(store.memory().pinnedBytes).toBe(1_000_000);
    for (let round = 0; round < 4; round++) for (const name of ["b", "c"]) await use(store, name);
    await load(store, "d", [4]);
    await expect.poll(() => residents(store)).toEqual(["a", "d"]);
    expect(await use(store, "a")).toEqual({ fromMemory: true, sum: "0" });

    await store.setStorageLevel("a", "memory", { signal });
    expect(store.memory().pinnedBytes).toBe(0);
    await use(store, "d");
    await load(store, "e", [5]);
    await expect.poll(() => residents(store)).toEqual(["d", "e"]);
    expect(opened.events).toContainEqual(expect.objectContaining({ type: "evicted", dataset: "a", reason: "budget" }));
  });

  it("is refused with what it needs and what is free where the budget can't hold it, and nothing changes", async () => {
    await using opened = await openStore(folder.path, engine.megabytes, roomFor(1));
    const { store } = opened;
    await load(store, "a", [1]);
    await load(store, "b", [2]);
    await store.setStorageLevel("a", "pinned", { signal });
    await expect(store.setStorageLevel("b", "pinned", { signal })).rejects.toMatchObject({
      reason: "PIN_REFUSED",
      metadata: { dataset: "b", version: "1", neededBytes: "1000000", freeBytes: "500000", budgetBytes: "1500000" },
    });
    expect(store.get("b")).toMatchObject({ storageLevel: "memory", resident: false });
    expect(await use(store, "b")).toEqual({ fromMemory: false, sum: "2" });
    expect(store.get("a")).toMatchObject({ storageLevel: "pinned", resident: true });
  });

  it("is refused where it turns out larger than its files let expect", async () => {
    await using opened = await openStore(folder.path, engine.megabytes, {
      residency: { budgetBytes: 900_000, idleMs: 0 },
    });
    await loadAnySize(opened.store, "a", [1]);
    await expect(opened.store.setStorageLevel("a", "pinned", { signal })).rejects.toMatchObject({
      reason: "PIN_REFUSED",
      metadata: { neededBytes: "1000000", freeBytes: "900000" },
    });
    expect(opened.store.memory()).toEqual({ budgetBytes: 900_000, residentBytes: 0, pinnedBytes: 0 });
    expect(await engine.tables()).toBe(0);
  });

  it("waits for readers of what stands in its way, and takes nothing away when the call gives up", async () => {
    await using opened = await openStore(folder.path, engine.megabytes, roomFor(1));
    const { store } = opened;
    await load(store, "a", [1]);
    await expect.poll(() => residents(store)).toEqual(["a"]);
    await load(store, "b", [2]);
    const reader = await store.pin("a", 0, { signal });
    const call = new AbortController();
    const givenUp = store.setStorageLevel("b", "pinned", { signal: call.signal });
    call.abort(new Error("no longer"));
    await expect(givenUp).rejects.toThrow("no longer");
    expect(store.get("b").storageLevel).toBe("memory");
    expect(store.memory().pinnedBytes).toBe(0);

    const pinning = store.setStorageLevel("b", "pinned", { signal });
    expect(await engine.sum(reader)).toBe("1");
    await reader[Symbol.asyncDispose]();
    expect(await pinning).toMatchObject({ storageLevel: "pinned", resident: true });
    expect(residents(store)).toEqual(["b"]);
  });

  it("hands its place to its next version, which comes in before the old one leaves where both have room", async () => {
    await using opened = await openStore(folder.path, engine.megabytes, roomFor(2));
    const { store, events } = opened;
    await load(store, "a", [1]);
    await store.setStorageLevel("a", "pinned", { signal });
    events.length = 0;
    await load(store, "a", [2]);
    await expect.poll(() => events).toContainEqual(expect.objectContaining({ type: "evicted" }));
    expect(events.map((event) => [event.type, "version" in event && event.version])).toEqual([
      ["published", 2],
      ["resident", 2],
      ["evicted", 1],
    ]);
    expect(await use(store, "a")).toEqual({ fromMemory: true, sum: "2" });
    expect(store.memory()).toMatchObject({ residentBytes: 1_000_000, pinnedBytes: 1_000_000 });
  });

  it("hands it over one after the other where both at once are too much", async () => {
    await using opened = await openStore(folder.path, engine.megabytes, roomFor(1));
    const { store, events } = opened;
    await load(store, "a", [1]);
    await store.setStorageLevel("a", "pinned", { signal });
    events.length = 0;
    await load(store, "a", [2]);
    await expect.poll(() => store.get("a")).toMatchObject({ resident: true, current: { number: 2 } });
    expect(events.map((event) => [event.type, "version" in event && event.version])).toEqual([
      ["published", 2],
      ["evicted", 1],
      ["resident", 2],
    ]);
    expect(store.get("a").levelProblem).toBeUndefined();
    expect(await engine.tables()).toBe(1);
  });

  it("says so when its next version has no room, serves that from its segments, and comes back once there is room", async () => {
    await using opened = await openStore(folder.path, engine.megabytes, roomFor(2));
    const { store, events } = opened;
    for (const name of ["a", "b"]) {
      await load(store, name, [1]);
      await store.setStorageLevel(name, "pinned", { signal });
    }
    await loadAnySize(store, "a", [2], {}, { bytes: 1_600_000 });
    await expect.poll(() => store.get("a").levelProblem).toMatchObject({ reason: "PIN_REFUSED" });
    expect(events).toContainEqual(
      expect.objectContaining({
        type: "pinRefused",
        dataset: "a",
        version: 2,
        error: expect.objectContaining({
          metadata: expect.objectContaining({ neededBytes: "2000000", freeBytes: "1500000" }),
        }),
      }),
    );
    expect(store.get("a")).toMatchObject({ storageLevel: "pinned", resident: false });
    expect(await use(store, "a")).toEqual({ fromMemory: false, sum: "2" });

    await store.setStorageLevel("b", "disk", { signal });
    await expect.poll(() => store.get("a")).toMatchObject({ resident: true });
    expect(store.get("a").levelProblem).toBeUndefined();
    expect(store.get("b")).toMatchObject({ storageLevel: "disk", resident: false });
  });

  it("is pinned again after a restart", async () => {
    {
      await using opened = await openStore(folder.path, engine.megabytes, roomFor(1));
      await load(opened.store, "a", [1]);
      await opened.store.setStorageLevel("a", "pinned", { signal });
    }
    await engine[Symbol.asyncDispose]();
    engine = await openTestEngine(folder.path);
    await using opened = await openStore(folder.path, engine.megabytes, roomFor(1));
    await expect.poll(() => opened.store.get("a")).toMatchObject({ storageLevel: "pinned", resident: true });
  });

  it("is never let go for being idle", async () => {
    await using opened = await openStore(folder.path, engine.megabytes, {
      residency: { budgetBytes: 2_500_000, idleMs: 20 },
    });
    const { store } = opened;
    await load(store, "a", [1]);
    await store.setStorageLevel("a", "pinned", { signal });
    await load(store, "b", [2]);
    await expect
      .poll(() => opened.events)
      .toContainEqual(expect.objectContaining({ type: "evicted", dataset: "b", reason: "idle" }));
    expect(residents(store)).toEqual(["a"]);
  });
});

describe("a dataset on disk", () => {
  it("leaves memory when the call ends, and neither queries nor new versions bring it back", async () => {
    await using opened = await openStore(folder.path, engine.megabytes, roomFor(2));
    const { store } = opened;
    await load(store, "a", [1]);
    await expect.poll(() => residents(store)).toEqual(["a"]);
    expect(await store.setStorageLevel("a", "disk", { signal })).toMatchObject({
      storageLevel: "disk",
      resident: false,
    });
    expect(opened.events).toContainEqual(expect.objectContaining({ type: "evicted", dataset: "a", reason: "level" }));
    expect(await engine.tables()).toBe(0);
    for (let round = 0; round < 3; round++) expect(await use(store, "a")).toEqual({ fromMemory: false, sum: "1" });
    await load(store, "a", [2]);
    for (let round = 0; round < 3; round++) expect(await use(store, "a")).toEqual({ fromMemory: false, sum: "2" });
    expect(opened.events.filter(({ type }) => type === "resident")).toHaveLength(1);

    await store.setStorageLevel("a", "memory", { signal });
    await expect.poll(() => residents(store)).toEqual(["a"]);
  });

  it("says that there is none of the name", async () => {
    await using opened = await openStore(folder.path, engine.megabytes, roomFor(2));
    await expect(opened.store.setStorageLevel("a", "disk", { signal })).rejects.toMatchObject({
      reason: "DATASET_NOT_FOUND",
    });
  });
});

describe("the storage level of a dataset that two processes serve", () => {
  it("is set by one, and followed by the other, each within its own budget", async () => {
    await using one = await openStore(folder.path, engine.megabytes, roomFor(2));
    await load(one.store, "a", [1]);
    await load(one.store, "b", [2]);
    const readers = await openTestEngine(folder.path);
    try {
      await using other = await openStore(folder.path, readers.megabytes, roomFor(1));
      await one.store.setStorageLevel("a", "pinned", { signal });
      await expect.poll(() => other.store.get("a")).toMatchObject({ storageLevel: "pinned", resident: true });
      await one.store.setStorageLevel("b", "pinned", { signal });
      await expect.poll(() => other.store.get("b")).toMatchObject({ levelProblem: { reason: "PIN_REFUSED" } });
      expect(one.store.get("b").levelProblem).toBeUndefined();

      await other.store.setStorageLevel("a", "disk", { signal });
      await expect.poll(() => one.store.get("a")).toMatchObject({ storageLevel: "disk", resident: false });
      await expect.poll(() => other.store.get("b")).toMatchObject({ resident: true });
    } finally {
      await readers[Symbol.asyncDispose]();
    }
  });
});
