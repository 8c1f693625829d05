import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { folderBytes } from "../../../src/datasets/files.ts";
import { keepSegments, segmentIdentity } from "../../../src/datasets/kept-segments.ts";
import { datasetsFolder } from "../../../src/datasets/layout.ts";
import type { DatasetStore } from "../../../src/datasets/model.ts";
import { load, openStore, openTestEngine, type TestEngine, writeSegments } from "../../helpers/dataset-store.ts";
import { temporaryFolder } from "../../helpers/temporary-folder.ts";

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

async function sum(store: DatasetStore, version = 0): Promise<string> {
  await using pinned = await store.pin("a", version, { signal });
  return engine.sum(pinned);
}

/** Publishes a version over all segments of the current one and one more. */
async function extend(store: DatasetStore, number: number) {
  await using base = await store.pin("a", 0, { signal });
  await using staged = await store.stage("a");
  const fresh = await writeSegments(staged.directory, [number]);
  const kept = await staged.keep(base, base.manifest.segments);
  const segments = [...kept, ...fresh.segments];
  const bytes = base.manifest.bytes + fresh.bytes;
  const content = { ...fresh, segments, bytes, rows: base.manifest.rows + 1 };
  return await staged.publish(content, {}, { basedOn: base.place });
}

describe("a version that keeps segments of the one before", () => {
  it("is read whole after the versions that wrote them are gone", async () => {
    await using opened = await openStore(folder.path, engine.read, {
      retention: { maxVersions: 1, maxAgeMs: 0, maxBytes: 0 },
    });
    const { store } = opened;
    await load(store, "a", [1, 2]);
    await extend(store, 10);
    const { current } = await extend(store, 100);
    expect(current.segments.map(({ file }) => file)).toEqual([
      "v1-segment-1.parquet",
      "v1-segment-2.parquet",
      "v2-segment-1.parquet",
      "segment-1.parquet",
    ]);
    await store[Symbol.asyncDispose]();
    await using again = await openStore(folder.path, engine.read);
    expect((await again.store.versions("a")).map(({ number }) => number)).toEqual([3]);
    expect(await sum(again.store)).toBe("113");
  });

  it("takes the disk's bytes once, for the quota and for retention", async () => {
    await using opened = await openStore(folder.path, engine.read);
    const { store } = opened;
    const first = await load(store, "a", [1]);
    const before = await folderBytes(datasetsFolder(folder.path));
    const second = await extend(store, 10);
    const grown = (await folderBytes(datasetsFolder(folder.path))) - before;
    const own = second.current.bytes - first.current.bytes;
    expect(grown).toBeGreaterThanOrEqual(own);
    expect(grown).toBeLessThan(own + first.current.bytes + 2_000);
    const [kept, ...fresh] = second.current.segments.map(({ file }) => segmentIdentity(2, file));
    expect([kept, ...fresh]).toEqual(["1/segment-1.parquet", "2/segment-1.parquet"]);
    await store[Symbol.asyncDispose]();
    // Room for what is on disk, but not for the bytes of both versions added up.
    const maxBytes = second.current.bytes;
    await using bounded = await openStore(folder.path, engine.read, {
      retention: { maxVersions: 9, maxAgeMs: 0, maxBytes },
    });
    await bounded.store.rollback("a", 1, { signal });
    expect((await bounded.store.versions("a")).map(({ number }) => number)).toEqual([3, 2, 1]);
  });

  it("holds copies where the file system has no links for it", async () => {
    await using opened = await openStore(folder.path, engine.read);
    const { store } = opened;
    await load(store, "a", [1]);
    await using pinned = await store.pin("a", 0, { signal });
    const elsewhere = await mkdtemp("/dev/shm/drover-test-");
    try {
      expect((await stat(elsewhere)).dev).not.toBe((await stat(folder.path)).dev);
      const [kept] = await keepSegments(pinned, pinned.manifest.segments, elsewhere);
      const copy = await stat(join(elsewhere, kept?.file ?? ""));
      expect(copy).toMatchObject({ size: pinned.manifest.bytes, nlink: 1 });
      expect(copy.mode & 0o222).toBe(0);
    } finally {
      await rm(elsewhere, { recursive: true });
    }
  });

  it("is not published where another version was, and can then be based on that one", async () => {
    await using opened = await openStore(folder.path, engine.read);
    const { store } = opened;
    await load(store, "a", [1]);
    await using base = await store.pin("a", 0, { signal });
    await using staged = await store.stage("a");
    const fresh = await writeSegments(staged.directory, [5]);
    await load(store, "a", [2]);
    await expect(staged.publish(fresh, {}, { basedOn: base.place })).rejects.toMatchObject({
      reason: "VERSION_CONFLICT",
    });
    await using now = await store.pin("a", 0, { signal });
    expect(await staged.publish(fresh, {}, { basedOn: now.place })).toMatchObject({ current: { number: 3 } });
  });

  it("is not published into another dataset of the same name", async () => {
    await using opened = await openStore(folder.path, engine.read);
    const { store } = opened;
    await load(store, "a", [1]);
    const { place } = await store.pin("a", 0, { signal });
    await store.delete("a");
    await load(store, "a", [7]);
    await using staged = await store.stage("a");
    const fresh = await writeSegments(staged.directory, [5]);
    await expect(staged.publish(fresh, {}, { basedOn: place })).rejects.toMatchObject({ reason: "VERSION_CONFLICT" });
    expect(await sum(store)).toBe("7");
  });
});

describe("a rollback", () => {
  it("makes an older version current as a new one, once", async () => {
    await using opened = await openStore(folder.path, engine.read);
    const { store } = opened;
    await load(store, "a", [1]);
    await load(store, "a", [2]);
    const restored = await store.rollback("a", 1, { signal });
    expect(restored.current).toMatchObject({ number: 3, rows: 1, lineage: { restoredFrom: 1, operationId: "load-1" } });
    expect(await sum(store)).toBe("1");
    expect(await sum(store, 2)).toBe("2");
    expect(await store.rollback("a", 1, { signal })).toMatchObject({ current: { number: 3 } });
    expect(await store.rollback("a", 3, { signal })).toMatchObject({ current: { number: 3 } });
    await expect(store.rollback("a", 9, { signal })).rejects.toMatchObject({ reason: "VERSION_NOT_FOUND" });
    await expect(store.rollback("b", 1, { signal })).rejects.toMatchObject({ reason: "DATASET_NOT_FOUND" });
  });

  it("gets rid of a current version that is damaged", async () => {
    const version2 = async () => {
      const [uid] = await readdir(datasetsFolder(folder.path));
      return join(datasetsFolder(folder.path), String(uid), "versions", "2");
    };
    {
      await using opened = await openStore(folder.path, engine.read);
      await load(opened.store, "a", [1]);
      await load(opened.store, "a", [2]);
    }
    const manifest = join(await version2(), "manifest.json");
    await rm(manifest);
    await writeFile(manifest, "{");
    await using opened = await openStore(folder.path, engine.read);
    await expect(async () => opened.store.get("a")).rejects.toMatchObject({ reason: "VERSION_DAMAGED" });
    expect(await opened.store.rollback("a", 1, { signal })).toMatchObject({ current: { number: 3 } });
    expect(await sum(opened.store)).toBe("1");
  });
});
