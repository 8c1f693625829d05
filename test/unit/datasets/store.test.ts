import { existsSync } from "node:fs";
import { readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { datasetsFolder, stagingFolder, trashFolder } from "../../../src/datasets/layout.ts";
import { load, openStore, openTestEngine, type TestEngine, writeSegments } from "../../helpers/dataset-store.ts";
import { temporaryFolder } from "../../helpers/temporary-folder.ts";

const { signal } = new AbortController();
const everything = { labels: {} };

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

/** The folders of versions on disk, as `<uid>/<number>` with the uid left out. */
async function versionsOnDisk(): Promise<string[]> {
  const found: string[] = [];
  for (const uid of await readdir(datasetsFolder(folder.path))) {
    found.push(...(await readdir(join(datasetsFolder(folder.path), uid, "versions"))));
  }
  return found.sort();
}

async function onlyDatasetFolder(): Promise<string> {
  const [uid, ...others] = await readdir(datasetsFolder(folder.path));
  expect(others).toEqual([]);
  return join(datasetsFolder(folder.path), String(uid));
}

async function pinnedSum(store: Awaited<ReturnType<typeof openStore>>["store"], name: string, version = 0) {
  await using pinned = await store.pin(name, version, { signal });
  return engine.sum(pinned);
}

describe("a dataset store", () => {
  it("publishes a version that is read again after a restart", async () => {
    {
      await using opened = await openStore(folder.path, engine.read);
      const info = await load(opened.store, "Flüge 🛫", [1, 2, 3], { team: "ops" });
      expect(info).toMatchObject({ name: "Flüge 🛫", labels: { team: "ops" }, current: { number: 1, rows: 3 } });
      expect(await pinnedSum(opened.store, "Flüge 🛫")).toBe("6");
    }
    await using opened = await openStore(folder.path, engine.read);
    expect(opened.store.list(everything)).toEqual([opened.store.get("Flüge 🛫")]);
    expect(opened.store.get("Flüge 🛫")).toMatchObject({ labels: { team: "ops" }, current: { number: 1, rows: 3 } });
    expect(await pinnedSum(opened.store, "Flüge 🛫")).toBe("6");
  });

  it("keeps published segments read-only", async () => {
    await using opened = await openStore(folder.path, engine.read);
    await load(opened.store, "a", [1]);
    await using pinned = await opened.store.pin("a", 0, { signal });
    expect((await stat(String(pinned.segmentPaths[0]))).mode & 0o222).toBe(0);
  });

  it("publishes a dataset without rows or segments", async () => {
    await using opened = await openStore(folder.path, engine.read, { residency: { budgetBytes: 1e9, idleMs: 0 } });
    const info = await load(opened.store, "empty", []);
    expect(info.current).toMatchObject({ rows: 0, segments: [] });
    await using pinned = await opened.store.pin("empty", 0, { signal });
    expect(pinned.segmentPaths).toEqual([]);
  });

  it("lets a reader keep its version while newer ones are published and retention lets go of it", async () => {
    await using opened = await openStore(folder.path, engine.read, {
      retention: { maxVersions: 1, maxAgeMs: 0, maxBytes: 0 },
    });
    const { store } = opened;
    await load(store, "a", [1]);
    const pinned = await store.pin("a", 0, { signal });
    await load(store, "a", [10]);
    await load(store, "a", [100]);
    await expect.poll(() => versionsOnDisk()).toEqual(["1", "3"]);
    expect(await engine.sum(pinned)).toBe("1");
    await expect(store.pin("a", 1, { signal })).rejects.toMatchObject({ reason: "VERSION_NOT_FOUND" });
    expect(await pinnedSum(store, "a")).toBe("100");
    await pinned[Symbol.asyncDispose]();
    await pinned[Symbol.asyncDispose]();
    expect(await versionsOnDisk()).toEqual(["3"]);
    await expect.poll(() => opened.events.filter(({ type }) => type === "removed")).toHaveLength(2);
  });

  it("lists versions newest first and pins each by its number", async () => {
    await using opened = await openStore(folder.path, engine.read);
    for (const number of [1, 2, 3]) await load(opened.store, "a", [number]);
    expect((await opened.store.versions("a")).map(({ number }) => number)).toEqual([3, 2, 1]);
    expect(await pinnedSum(opened.store, "a", 2)).toBe("2");
    await expect(opened.store.pin("a", 4, { signal })).rejects.toMatchObject({ reason: "VERSION_NOT_FOUND" });
  });

  it("numbers versions in turn when many are published at once, and mixes none", async () => {
    await using opened = await openStore(folder.path, engine.read, {
      retention: { maxVersions: 100, maxAgeMs: 0, maxBytes: 0 },
    });
    const { store } = opened;
    const infos = await Promise.all([1, 2, 3, 4, 5].map((number) => load(store, "a", [number, number])));
    expect(infos.map(({ current }) => current.number).sort()).toEqual([1, 2, 3, 4, 5]);
    for (const { current } of infos) expect(current.rows).toBe(2);
    const sums = await Promise.all([1, 2, 3, 4, 5].map((number) => pinnedSum(store, "a", number)));
    expect(sums.sort()).toEqual(["10", "2", "4", "6", "8"]);
  });

  it("removes what was staged when it is not published", async () => {
    await using opened = await openStore(folder.path, engine.read);
    const staged = await opened.store.stage("a");
    await writeSegments(staged.directory, [1]);
    await staged[Symbol.asyncDispose]();
    expect(existsSync(staged.directory)).toBe(false);
    expect(opened.store.list(everything)).toEqual([]);
    expect(() => opened.store.get("a")).toThrow(expect.objectContaining({ reason: "DATASET_NOT_FOUND" }));
  });

  it("leaves out files that the load does not name and refuses segments that are not as it says", async () => {
    await using opened = await openStore(folder.path, engine.read);
    {
      await using staged = await opened.store.stage("a");
      const content = await writeSegments(staged.directory, [1]);
      await writeFile(join(staged.directory, "left-over.tmp"), "x");
      await staged.publish(content, {});
    }
    await using pinned = await opened.store.pin("a", 0, { signal });
    const files = await readdir(join(String(pinned.segmentPaths[0]), ".."));
    expect(files.sort()).toEqual(["manifest.json", "segment-1.parquet"]);
    await using staged = await opened.store.stage("a");
    const content = await writeSegments(staged.directory, [1]);
    const wrong = { ...content, segments: content.segments.map((segment) => ({ ...segment, bytes: 1 })) };
    await expect(staged.publish(wrong, {})).rejects.toMatchObject({ reason: "INTERNAL" });
    expect(opened.store.get("a").current.number).toBe(1);
  });

  it("replaces labels only when some are given, and filters by them", async () => {
    await using opened = await openStore(folder.path, engine.read);
    const { store } = opened;
    await load(store, "a", [1], { team: "ops", tier: "1" });
    await load(store, "b", [1], { team: "ops" });
    await load(store, "a", [2]);
    expect(store.get("a").labels).toEqual({ team: "ops", tier: "1" });
    expect(store.list({ labels: { team: "ops", tier: "1" } }).map(({ name }) => name)).toEqual(["a"]);
    await load(store, "a", [3], { team: "dev" });
    expect(store.get("a").labels).toEqual({ team: "dev" });
    expect(store.list({ labels: { team: "ops" } }).map(({ name }) => name)).toEqual(["b"]);
  });

  it("refuses a name that differs from an existing one only by case or composition", async () => {
    await using opened = await openStore(folder.path, engine.read);
    const { store } = opened;
    await load(store, "Café", [1]);
    await expect(store.stage("CAFÉ")).rejects.toMatchObject({ reason: "NAME_CONFLICT" });
    await expect(store.stage("Cafe\u0301")).rejects.toMatchObject({ reason: "NAME_CONFLICT" });
    expect(() => store.get("café")).toThrow(expect.objectContaining({ reason: "DATASET_NOT_FOUND" }));
    expect(store.resolve("café")).toBe("Café");
    expect(store.resolve("tea")).toBeUndefined();
  });

  it("lets only one of two first loads win whose names differ by case", async () => {
    await using opened = await openStore(folder.path, engine.read);
    const results = await Promise.allSettled([load(opened.store, "Sales", [1]), load(opened.store, "sales", [2])]);
    const failed = results.filter((result) => result.status === "rejected");
    expect(failed).toHaveLength(1);
    expect(failed[0]?.reason).toMatchObject({ reason: "NAME_CONFLICT" });
    expect(opened.store.list(everything)).toHaveLength(1);
  });

  it("deletes a dataset, whose readers finish first, and takes its name for a new one", async () => {
    await using opened = await openStore(folder.path, engine.read);
    const { store } = opened;
    await load(store, "a", [1]);
    const pinned = await store.pin("a", 0, { signal });
    await store.delete("a");
    expect(store.list(everything)).toEqual([]);
    await expect(store.pin("a", 0, { signal })).rejects.toMatchObject({ reason: "DATASET_NOT_FOUND" });
    expect(await engine.sum(pinned)).toBe("1");
    expect((await load(store, "A", [5])).current.number).toBe(1);
    await pinned[Symbol.asyncDispose]();
    expect(await versionsOnDisk()).toEqual(["1"]);
    expect(await pinnedSum(store, "A")).toBe("5");
    await expect(store.delete("a")).rejects.toMatchObject({ reason: "DATASET_NOT_FOUND" });
  });

  it("lets a reader finish whose version retention has let go of when the dataset is deleted", async () => {
    await using opened = await openStore(folder.path, engine.read, {
      retention: { maxVersions: 1, maxAgeMs: 0, maxBytes: 0 },
    });
    const { store } = opened;
    await load(store, "a", [1]);
    const pinned = await store.pin("a", 0, { signal });
    await load(store, "a", [2]);
    await expect.poll(() => store.versions("a")).toHaveLength(1);
    await store.delete("a");
    expect(await engine.sum(pinned)).toBe("1");
    await pinned[Symbol.asyncDispose]();
    expect(await readdir(datasetsFolder(folder.path))).toEqual([]);
  });

  it("finishes a deletion whose readers a restart has cut off", async () => {
    {
      await using opened = await openStore(folder.path, engine.read);
      await load(opened.store, "a", [1]);
      await opened.store.pin("a", 0, { signal });
      await opened.store.delete("a");
      expect(await versionsOnDisk()).toEqual(["1"]);
    }
    await using opened = await openStore(folder.path, engine.read);
    expect(opened.store.list(everything)).toEqual([]);
    expect(await readdir(datasetsFolder(folder.path))).toEqual([]);
  });

  it("refuses to delete a dataset that is being loaded", async () => {
    await using opened = await openStore(folder.path, engine.read);
    await load(opened.store, "a", [1]);
    {
      await using _staged = await opened.store.stage("a");
      await expect(opened.store.delete("a")).rejects.toMatchObject({ reason: "LOAD_CONFLICT" });
    }
    await opened.store.delete("a");
  });

  it("finds datasets again by their manifests when the catalog is lost", async () => {
    {
      await using opened = await openStore(folder.path, engine.read);
      await load(opened.store, "a", [1], { team: "ops" });
      await load(opened.store, "a", [2]);
    }
    for (const ending of ["", "-wal", "-shm"]) await rm(join(folder.path, `catalog.sqlite${ending}`), { force: true });
    await using opened = await openStore(folder.path, engine.read);
    expect(opened.store.get("a")).toMatchObject({ labels: { team: "ops" }, current: { number: 2 } });
    await load(opened.store, "a", [3]);
    expect(opened.store.get("a").current.number).toBe(3);
  });

  it("removes at start what dead owners have staged and what was on its way out, but nothing of a living one", async () => {
    await using living = await openStore(folder.path, engine.read);
    await using staged = await living.store.stage("a");
    await writeSegments(staged.directory, [1]);
    await writeSegments(join(stagingFolder(folder.path), "dead", "load"), [2]);
    await writeSegments(join(trashFolder(folder.path), "old"), [3]);
    await using opened = await openStore(folder.path, engine.read);
    expect(opened.events).toContainEqual({ type: "stagingRemoved", owner: "dead" });
    expect(existsSync(join(stagingFolder(folder.path), "dead"))).toBe(false);
    await expect.poll(() => readdir(trashFolder(folder.path))).toEqual([]);
    expect(existsSync(join(staged.directory, "segment-1.parquet"))).toBe(true);
  });

  it("numbers on when another driver process has published a version of the same dataset", async () => {
    await using one = await openStore(folder.path, engine.read);
    await load(one.store, "a", [1]);
    await using two = await openStore(folder.path, engine.read);
    const infos = await Promise.all([load(one.store, "a", [2]), load(two.store, "a", [3])]);
    expect(infos.map(({ current }) => current.number).sort()).toEqual([2, 3]);
    expect(await versionsOnDisk()).toEqual(["1", "2", "3"]);
  });

  it("leaves nothing behind in the data directory but datasets, catalog and its own marks", async () => {
    {
      await using opened = await openStore(folder.path, engine.read);
      await load(opened.store, "a", [1]);
      await load(opened.store, "b", [1]);
      await opened.store.delete("b");
    }
    expect((await readdir(folder.path)).sort()).toEqual([
      "FORMAT",
      "catalog.sqlite",
      "datasets",
      "instances",
      "spill",
      "staging",
      "trash",
    ]);
    for (const empty of ["instances", "staging", "trash"]) expect(await readdir(join(folder.path, empty))).toEqual([]);
  });
});

describe("damage", () => {
  it("of a version's segment is VERSION_DAMAGED for that version only", async () => {
    {
      await using opened = await openStore(folder.path, engine.read);
      for (const number of [1, 2, 3]) await load(opened.store, "a", [number, number]);
    }
    const dataset = await onlyDatasetFolder();
    await rm(join(dataset, "versions", "2", "segment-2.parquet"));
    await rm(join(dataset, "versions", "3", "segment-1.parquet"));
    await writeFile(join(dataset, "versions", "3", "segment-1.parquet"), "cut");
    await using opened = await openStore(folder.path, engine.read);
    const { store } = opened;
    await expect(store.pin("a", 2, { signal })).rejects.toMatchObject({
      reason: "VERSION_DAMAGED",
      message: expect.stringMatching(/^version 2 of "a" is damaged: segment-2\.parquet is missing$/),
      metadata: { dataset: "a", version: "2" },
    });
    await expect(store.pin("a", 0, { signal })).rejects.toMatchObject({
      reason: "VERSION_DAMAGED",
      message: expect.stringMatching(
        /^the current version 3 of "a" is damaged: segment-\d\.parquet has 3 bytes, not \d+$/,
      ),
    });
    expect(await pinnedSum(store, "a", 1)).toBe("2");
    expect((await load(store, "a", [7])).current.number).toBe(4);
    expect(await pinnedSum(store, "a")).toBe("7");
  });

  it.each([
    ["is no JSON", "{"],
    ["is no manifest", "[]"],
    ["is no whole manifest", `{"formatVersion":1}`],
    ["is missing", undefined],
  ])("of a manifest that %s is told by name and mended by the next load", async (_what, text) => {
    {
      await using opened = await openStore(folder.path, engine.read);
      await load(opened.store, "other", [1]);
      await opened.store.delete("other");
      await load(opened.store, "a", [1]);
    }
    const path = join(await onlyDatasetFolder(), "versions", "1", "manifest.json");
    await rm(path);
    if (text !== undefined) await writeFile(path, text);
    await using opened = await openStore(folder.path, engine.read);
    expect(opened.events).toContainEqual(expect.objectContaining({ type: "damaged", dataset: "a", version: 1 }));
    expect(opened.store.list(everything)).toEqual([]);
    expect(() => opened.store.get("a")).toThrow(expect.objectContaining({ reason: "VERSION_DAMAGED" }));
    await expect(opened.store.pin("a", 0, { signal })).rejects.toMatchObject({ reason: "VERSION_DAMAGED" });
    expect(await opened.store.versions("a")).toEqual([]);
    expect((await load(opened.store, "a", [7])).current.number).toBe(2);
    expect(await pinnedSum(opened.store, "a")).toBe("7");
  });

  it("of a manifest that names a file elsewhere never reaches that file", async () => {
    {
      await using opened = await openStore(folder.path, engine.read);
      await load(opened.store, "a", [1]);
    }
    const path = join(await onlyDatasetFolder(), "versions", "1", "manifest.json");
    const manifest = JSON.parse(await readFile(path, "utf8"));
    manifest.segments[0].file = "../../../../FORMAT";
    await writeFile(path, JSON.stringify(manifest));
    await using opened = await openStore(folder.path, engine.read);
    await expect(opened.store.pin("a", 0, { signal })).rejects.toMatchObject({ reason: "VERSION_DAMAGED" });
  });

  it("that shows while the driver runs is found by a recheck", async () => {
    await using opened = await openStore(folder.path, engine.read);
    await load(opened.store, "a", [1]);
    await opened.store.recheck("a", 0);
    await rm(join(await onlyDatasetFolder(), "versions", "1", "segment-1.parquet"));
    expect(opened.store.get("a").current.number).toBe(1);
    await expect(opened.store.recheck("a", 1)).rejects.toMatchObject({ reason: "VERSION_DAMAGED" });
    await expect(opened.store.pin("a", 0, { signal })).rejects.toMatchObject({ reason: "VERSION_DAMAGED" });
  });

  it("is not what a version of a later format is called", async () => {
    {
      await using opened = await openStore(folder.path, engine.read);
      await load(opened.store, "a", [1]);
      await load(opened.store, "b", [2]);
    }
    for (const uid of await readdir(datasetsFolder(folder.path))) {
      const path = join(datasetsFolder(folder.path), uid, "versions", "1", "manifest.json");
      const text = await readFile(path, "utf8");
      if (text.includes(`"name":"a"`)) await writeFile(path, text.replace(`"formatVersion":1`, `"formatVersion":2`));
    }
    await using opened = await openStore(folder.path, engine.read);
    await expect(opened.store.pin("a", 0, { signal })).rejects.toMatchObject({ reason: "DATA_DIRECTORY_NEWER" });
    expect(await pinnedSum(opened.store, "b")).toBe("2");
  });
});

describe("space", () => {
  it("is refused by the quota before a load and while it writes", async () => {
    await using opened = await openStore(folder.path, engine.read, { quota: { maxBytes: 2000, minFreeBytes: 0 } });
    const { store } = opened;
    await load(store, "a", [1]);
    await store.checkSpace();
    await using staged = await store.stage("a");
    const content = await writeSegments(staged.directory, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    await expect(store.checkSpace()).rejects.toMatchObject({ reason: "QUOTA_EXCEEDED" });
    await expect(staged.publish(content, {})).rejects.toMatchObject({ reason: "QUOTA_EXCEEDED" });
    await expect(store.stage("b")).rejects.toMatchObject({ reason: "QUOTA_EXCEEDED" });
    await staged[Symbol.asyncDispose]();
    expect(store.get("a").current.number).toBe(1);
    await store.delete("a");
    await (await store.stage("b"))[Symbol.asyncDispose]();
  });

  it("is refused while the disk has less free than must be kept", async () => {
    await using opened = await openStore(folder.path, engine.read, {
      quota: { maxBytes: 0, minFreeBytes: Number.MAX_SAFE_INTEGER },
    });
    await expect(opened.store.stage("a")).rejects.toMatchObject({
      reason: "DISK_FULL",
      message: expect.stringContaining("bytes free"),
    });
    await expect(opened.store.checkSpace()).rejects.toMatchObject({ reason: "DISK_FULL" });
  });
});
