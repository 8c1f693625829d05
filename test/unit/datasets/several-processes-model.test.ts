import { readdir } from "node:fs/promises";
import fc from "fast-check";
import { expect, it } from "vitest";
import { datasetsFolder, stagingFolder, trashFolder } from "../../../src/datasets/layout.ts";
import type { PinnedVersion } from "../../../src/datasets/model.ts";
import { load, type OpenedStore, openStore, openTestEngine } from "../../helpers/dataset-store.ts";
import { temporaryFolder } from "../../helpers/temporary-folder.ts";

const { signal } = new AbortController();

const step = fc.record({
  act: fc.constantFrom("load", "load", "loadBoth", "pin", "pin", "pin", "release", "delete", "list", "reopen"),
  name: fc.constantFrom("a", "b"),
  where: fc.nat({ max: 1 }),
  pick: fc.nat(),
});

it("shows two processes the same datasets, and takes from neither what it reads", async () => {
  let next = 0;
  const property = fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 30 }), async (steps) => {
    await using folder = await temporaryFolder();
    await using engine = await openTestEngine(folder.path);
    const open = () => openStore(folder.path, engine.read, { retention: { maxVersions: 1, maxAgeMs: 0, maxBytes: 0 } });
    const stores: OpenedStore[] = [await open(), await open()];
    const held: { pinned: PinnedVersion; sum: string; where: number }[] = [];
    const current = new Map<string, readonly string[]>();
    const loadNext = async (where: number, name: string) => {
      const value = ++next;
      await load((stores[where] as OpenedStore).store, name, [value]);
      return String(value);
    };
    for (const { act, name, where, pick } of steps) {
      const { store } = stores[where] as OpenedStore;
      if (act === "load") current.set(name, [await loadNext(where, name)]);
      if (act === "loadBoth") current.set(name, await Promise.all([loadNext(0, name), loadNext(1, name)]));
      if (act === "release") await held.splice(pick % Math.max(1, held.length), 1)[0]?.pinned[Symbol.asyncDispose]();
      if (act === "delete") {
        const deleting = store.delete(name);
        if (current.delete(name)) await deleting;
        else await expect(deleting).rejects.toMatchObject({ reason: "DATASET_NOT_FOUND" });
      }
      if (act === "pin" && current.has(name)) {
        const pinned = await store.pin(name, 0, { signal });
        const sum = await engine.sum(pinned);
        expect(current.get(name)).toContain(sum);
        held.push({ pinned, sum, where });
      }
      if (act === "reopen" && held.every((pin) => pin.where !== where)) {
        await stores[where]?.[Symbol.asyncDispose]();
        stores[where] = await open();
      }
      if (act === "list") {
        await store.refresh();
        expect(store.list({ labels: {} }).map((info) => info.name)).toEqual([...current.keys()].sort());
      }
      for (const { pinned, sum } of held) expect(await engine.sum(pinned)).toBe(sum);
    }
    await Promise.all(held.map(({ pinned }) => pinned[Symbol.asyncDispose]()));
    const onDisk = async () => {
      const folders = await readdir(datasetsFolder(folder.path), { recursive: true });
      return folders.filter((path) => /versions\/\d+$/.test(path));
    };
    await expect.poll(() => onDisk()).toHaveLength(current.size);
    expect(await readdir(datasetsFolder(folder.path))).toHaveLength(current.size);
    for (const { events } of stores) {
      expect(events.filter(({ type }) => type === "damaged" || type === "cleanupFailed")).toEqual([]);
    }
    for (const opened of stores) await opened[Symbol.asyncDispose]();
    for (const empty of [trashFolder, stagingFolder]) expect(await readdir(empty(folder.path))).toEqual([]);
  });
  await fc.assert(property, { numRuns: 8, endOnFailure: true });
}, 300_000);
