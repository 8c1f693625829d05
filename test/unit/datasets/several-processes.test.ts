import { existsSync } from "node:fs";
import { cp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openCatalog } from "../../../src/catalog/catalog.ts";
import { claimInstance } from "../../../src/catalog/instance.ts";
import { datasetsFolder } from "../../../src/datasets/layout.ts";
import type { DatasetStore } from "../../../src/datasets/model.ts";
import { publishFolder } from "../../../src/datasets/publish.ts";
import {
  load,
  type OpenedStore,
  openStore,
  openTestEngine,
  type TestEngine,
  writeSegments,
} from "../../helpers/dataset-store.ts";
import { temporaryFolder } from "../../helpers/temporary-folder.ts";

const { signal } = new AbortController();
const everything = { labels: {} };
const onlyOne = { retention: { maxVersions: 1, maxAgeMs: 0, maxBytes: 0 } };

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let engine: TestEngine;
let here: OpenedStore;
let there: OpenedStore;

// Two stores with a catalog and an instance each: what makes them one process or two is nothing that either looks at.
beforeEach(async () => {
  folder = await temporaryFolder();
  engine = await openTestEngine(folder.path);
  here = await openStore(folder.path, engine.read, onlyOne);
  there = await openStore(folder.path, engine.megabytes, onlyOne);
});

afterEach(async () => {
  await here[Symbol.asyncDispose]();
  await there[Symbol.asyncDispose]();
  await engine[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

async function sum(store: DatasetStore, name: string, version = 0): Promise<string> {
  await using pinned = await store.pin(name, version, { signal });
  return engine.sum(pinned);
}

async function versionsOnDisk(): Promise<string[]> {
  const found: string[] = [];
  for (const uid of await readdir(datasetsFolder(folder.path))) {
    found.push(...(await readdir(join(datasetsFolder(folder.path), uid, "versions"))));
  }
  return found.sort();
}

function catalog(sql: string): void {
  using database = new DatabaseSync(join(folder.path, "catalog.sqlite"), { timeout: 1000 });
  database.exec(sql);
}

describe("what another process does to a dataset", () => {
  it("is there in the next call", async () => {
    await load(here.store, "a", [1]);
    expect(await sum(there.store, "a")).toBe("1");
    await load(here.store, "a", [2, 3]);
    expect(await sum(there.store, "a")).toBe("5");
    await load(there.store, "a", [4], { team: "ops" });
    expect((await here.store.versions("a")).map(({ number }) => number)).toContain(3);
    expect(here.store.get("a")).toMatchObject({ labels: { team: "ops" }, current: { number: 3 } });
    await here.store.delete("a");
    await expect(there.store.pin("a", 0, { signal })).rejects.toMatchObject({ reason: "DATASET_NOT_FOUND" });
    expect(there.store.list(everything)).toEqual([]);
  });

  it("is listed after a refresh, datasets under the name of a deleted one included", async () => {
    await load(here.store, "a", [1]);
    await load(here.store, "b", [1]);
    await there.store.refresh();
    expect(there.store.list(everything).map(({ name }) => name)).toEqual(["a", "b"]);
    await here.store.delete("a");
    await load(here.store, "A", [7]);
    await there.store.refresh();
    expect(there.store.list(everything).map(({ name }) => name)).toEqual(["A", "b"]);
    expect(await sum(there.store, "A")).toBe("7");
  });

  it("keeps a name from being taken in another case", async () => {
    await load(here.store, "Sales", [1]);
    await expect(there.store.stage("sales")).rejects.toMatchObject({ reason: "NAME_CONFLICT" });
  });

  it("is told to those who listen, without a call", async () => {
    await load(here.store, "a", [1]);
    await expect.poll(() => there.events).toContainEqual({ type: "published", dataset: "a", version: 1 });
    await here.store.delete("a");
    await expect.poll(() => there.events).toContainEqual({ type: "dropped", dataset: "a" });
    expect(there.events.filter(({ type }) => type === "published")).toHaveLength(1);
  });

  it("takes a version out of memory that another one supersedes", async () => {
    await using reading = await openStore(folder.path, engine.megabytes, {
      ...onlyOne,
      residency: { budgetBytes: 10_000_000, idleMs: 0 },
    });
    await load(reading.store, "a", [1]);
    await expect.poll(() => reading.store.memory().residentBytes).toBe(1_000_000);
    await load(here.store, "a", [2]);
    expect(await sum(reading.store, "a")).toBe("2");
    const inMemory = () => [reading.store.get("a").resident, reading.store.memory().residentBytes];
    await expect.poll(inMemory).toEqual([true, 1_000_000]);
  });
});

describe("what another process reads", () => {
  it("is not removed by retention until it lets go", async () => {
    await load(here.store, "a", [1]);
    const pinned = await there.store.pin("a", 0, { signal });
    for (const number of [2, 3]) await load(here.store, "a", [number]);
    await expect.poll(() => versionsOnDisk()).toEqual(["1", "3"]);
    expect(await engine.sum(pinned)).toBe("1");
    expect(await sum(there.store, "a")).toBe("3");
    await pinned[Symbol.asyncDispose]();
    await expect.poll(() => versionsOnDisk()).toEqual(["3"]);
  });

  it("can be read to its end when the dataset is deleted, and goes then", async () => {
    await load(here.store, "a", [1]);
    const pinned = await there.store.pin("a", 0, { signal });
    await here.store.delete("a");
    await expect(there.store.pin("a", 0, { signal })).rejects.toMatchObject({ reason: "DATASET_NOT_FOUND" });
    expect(await engine.sum(pinned)).toBe("1");
    await load(here.store, "a", [5]);
    expect(await sum(there.store, "a")).toBe("5");
    expect(await engine.sum(pinned)).toBe("1");
    await pinned[Symbol.asyncDispose]();
    await expect.poll(() => readdir(datasetsFolder(folder.path))).toHaveLength(1);
    expect(await sum(here.store, "a")).toBe("5");
  });

  it("goes with a deletion even if several have read it", async () => {
    await load(here.store, "a", [1]);
    await using third = await openStore(folder.path, engine.read);
    for (const { store } of [here, there, third]) expect(await sum(store, "a")).toBe("1");
    await here.store.delete("a");
    await expect.poll(() => readdir(datasetsFolder(folder.path))).toEqual([]);
  });

  it("goes at the next start if all who knew of its deletion have gone before", async () => {
    await load(here.store, "a", [1]);
    await there.store.pin("a", 0, { signal });
    await here.store.delete("a");
    await here[Symbol.asyncDispose]();
    await there[Symbol.asyncDispose]();
    expect(await versionsOnDisk()).toEqual(["1"]);
    await using next = await openStore(folder.path, engine.read);
    expect(next.store.list(everything)).toEqual([]);
    expect(await readdir(datasetsFolder(folder.path))).toEqual([]);
  });

  it("counts no more when that process is dead", async () => {
    await load(here.store, "a", [1]);
    const [uid] = await readdir(datasetsFolder(folder.path));
    catalog(`INSERT INTO version_holds (uid, version, instance_id) VALUES ('${uid}', 1, 'dead')`);
    await load(here.store, "a", [2]);
    await expect.poll(() => versionsOnDisk()).toEqual(["2"]);
  });

  it("stays while a process lives that says nothing of what it reads", async () => {
    await load(here.store, "a", [1]);
    const silent = await claimInstance({ dataDirectory: folder.path, id: "silent" });
    await load(here.store, "a", [2]);
    await expect.poll(() => here.store.versions("a")).toHaveLength(1);
    await here.store.delete("a");
    expect(await versionsOnDisk()).toEqual(["1", "2"]);
    await silent[Symbol.asyncDispose]();
    await expect.poll(() => readdir(datasetsFolder(folder.path))).toEqual([]);
  });
});

describe("a dataset whose versions are lost", () => {
  it("is not taken away by whoever misses them: another may just be publishing one", async () => {
    await load(here.store, "a", [1]);
    const [uid = ""] = await readdir(datasetsFolder(folder.path));
    const versions = join(datasetsFolder(folder.path), uid, "versions");
    {
      await using other = await openStore(folder.path, engine.read, onlyOne);
      expect(await sum(other.store, "a")).toBe("1");
      await rm(join(versions, "1"), { recursive: true });
      catalog("UPDATE dataset_changes SET sequence = sequence + 1");
      await other.store.refresh();
      expect(other.store.list(everything)).toEqual([]);
      // What it does in the background is done when it ends.
    }
    expect(existsSync(versions)).toBe(true);
    await load(here.store, "a", [2]);
    expect(await sum(there.store, "a")).toBe("2");
  });
});

describe("a version that a process published which died before it told anybody", () => {
  /** A copy of the first version, as such a process leaves it. */
  async function leave(uid: string): Promise<void> {
    const versions = join(datasetsFolder(folder.path), uid, "versions");
    await cp(join(versions, "1"), join(versions, "2"), { recursive: true });
    const manifest = join(versions, "2", "manifest.json");
    await writeFile(manifest, (await readFile(manifest, "utf8")).replace(`"number":1`, `"number":2`));
  }

  it("is found by whoever would publish another one on top of the one before", async () => {
    const { uid } = await load(here.store, "a", [1]);
    await there.store.refresh();
    await leave(uid);
    await using staged = await there.store.stage("a");
    const content = await writeSegments(staged.directory, [7]);
    const publish = async () => {
      await using base = await there.store.pin("a", 0, { signal });
      return staged.publish(content, {}, { basedOn: base.place });
    };
    await expect(publish()).rejects.toMatchObject({ reason: "VERSION_CONFLICT" });
    expect((await publish()).current.number).toBe(3);
  });
});

describe("a version that another process overtakes on its way", () => {
  it("follows those that were published meanwhile, though none with its number is there any more", async () => {
    await load(here.store, "a", [1]);
    await using instance = await claimInstance({ dataDirectory: folder.path, id: "slow" });
    await using slow = await openCatalog({ dataDirectory: folder.path, instance });
    const staged = join(folder.path, "staged");
    const content = await writeSegments(staged, [5]);
    let overtaken = false;
    const published = await publishFolder(
      {
        dataDirectory: folder.path,
        catalog: {
          ...slow.datasets,
          async atomically(work) {
            if (!overtaken) for (const numbers of [[2], [3]]) await load(there.store, "a", numbers);
            if (!overtaken) await expect.poll(() => versionsOnDisk()).toEqual(["3"]);
            overtaken = true;
            return slow.datasets.atomically(work);
          },
        },
      },
      { name: "a", folder: staged, content, labels: {} },
    );
    expect(published.stored.manifest.number).toBe(4);
    await here.store.refresh();
    expect(await sum(here.store, "a")).toBe("5");
  });
});

describe("a load that another process carries out", () => {
  it("keeps the dataset from being deleted", async () => {
    await load(here.store, "a", [1]);
    const row = (owner: string) =>
      `INSERT INTO loads (operation_id, instance_id, name_key, configuration) VALUES ('${owner}', '${owner}', 'a', '{}')`;
    await using living = await claimInstance({ dataDirectory: folder.path, id: "living" });
    catalog(row(living.id));
    await expect(here.store.delete("a")).rejects.toMatchObject({
      reason: "LOAD_CONFLICT",
      metadata: { dataset: "a", operation: "living" },
    });
    catalog(`DELETE FROM loads; ${row("dead")}`);
    await here.store.delete("a");
    expect(here.store.list(everything)).toEqual([]);
  });

  it("leaves its version to everybody when that process dies before it has said so", async () => {
    await load(here.store, "a", [1]);
    await there.store.refresh();
    const [uid = ""] = await readdir(datasetsFolder(folder.path));
    const versions = join(datasetsFolder(folder.path), uid, "versions");
    // A version that was renamed into its place, and the claim of its load, are all that such a process leaves.
    await cp(join(versions, "1"), join(versions, "2"), { recursive: true });
    const manifest = join(versions, "2", "manifest.json");
    await writeFile(manifest, (await readFile(manifest, "utf8")).replace(`"number":1`, `"number":2`));
    catalog(`INSERT INTO loads (operation_id, instance_id, name_key, configuration) VALUES ('x', 'dead', 'a', '{}')`);
    await expect.poll(() => there.events).toContainEqual({ type: "published", dataset: "a", version: 2 });
  });
});
