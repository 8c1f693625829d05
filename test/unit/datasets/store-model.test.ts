import { readdir } from "node:fs/promises";
import fc from "fast-check";
import { expect, it } from "vitest";
import { datasetsFolder, stagingFolder, trashFolder } from "../../../src/datasets/layout.ts";
import type { PinnedVersion } from "../../../src/datasets/model.ts";
import { load, openStore, openTestEngine } from "../../helpers/dataset-store.ts";
import { temporaryFolder } from "../../helpers/temporary-folder.ts";

const { signal } = new AbortController();
const RETAINED = 2;

const step = fc.record({
  act: fc.constantFrom("load", "load", "loadTwice", "pin", "pin", "pin", "release", "delete", "evict", "giveUp"),
  name: fc.constantFrom("a", "b"),
  pick: fc.nat(),
});

it("gives every reader its version for as long as it holds it, whatever else happens, and leaves nothing behind", async () => {
  let next = 0;
  const property = fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 40 }), async (steps) => {
    await using folder = await temporaryFolder();
    await using engine = await openTestEngine(folder.path);
    const held: { pinned: PinnedVersion; sum: string }[] = [];
    // What a reader of the current version must find; two loads at once leave either.
    const current = new Map<string, readonly string[]>();
    {
      await using opened = await openStore(folder.path, engine.megabytes, {
        residency: { budgetBytes: 2_500_000, idleMs: 0 },
        retention: { maxVersions: RETAINED, maxAgeMs: 0, maxBytes: 0 },
      });
      const { store } = opened;
      const loadNext = async (name: string) => {
        const value = ++next;
        await load(store, name, [value], {}, { bytes: 800_000 });
        return String(value);
      };
      for (const { act, name, pick } of steps) {
        if (act === "load") current.set(name, [await loadNext(name)]);
        if (act === "loadTwice") current.set(name, await Promise.all([loadNext(name), loadNext(name)]));
        if (act === "giveUp") await (await store.stage(name))[Symbol.asyncDispose]();
        if (act === "evict" && current.has(name)) await store.evict(name);
        if (act === "release") await held.splice(pick % Math.max(1, held.length), 1)[0]?.pinned[Symbol.asyncDispose]();
        if (act === "delete" && current.delete(name)) await store.delete(name);
        if (act === "pin" && current.has(name)) {
          const pinned = await store.pin(name, 0, { signal });
          const sum = await engine.sum(pinned);
          expect(current.get(name)).toContain(sum);
          held.push({ pinned, sum });
        }
        for (const { pinned, sum } of held) expect(await engine.sum(pinned)).toBe(sum);
        expect(store.list({ labels: {} }).map((info) => info.name)).toEqual([...current.keys()].sort());
        expect(store.memory().residentBytes).toBeLessThanOrEqual(2_500_000);
      }
      await Promise.all(held.map(({ pinned }) => pinned[Symbol.asyncDispose]()));
      for (const name of current.keys()) {
        await expect.poll(async () => (await store.versions(name)).length).toBeLessThanOrEqual(RETAINED);
      }
      const uids = await readdir(datasetsFolder(folder.path));
      expect(uids).toHaveLength(current.size);
      for (const name of current.keys()) await store.delete(name);
      expect(await engine.tables()).toBe(0);
    }
    for (const empty of [datasetsFolder, trashFolder, stagingFolder]) {
      expect(await readdir(empty(folder.path))).toEqual([]);
    }
  });
  await fc.assert(property, { numRuns: 20 });
}, 300_000);
