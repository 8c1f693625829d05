import { existsSync } from "node:fs";
import { appendFile, chmod, truncate } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import type { LibrarySet } from "../../../src/library-sets/model.ts";
import type { LeasePurpose, WorkerLease } from "../../../src/loading/workers/model.ts";
import { openSetBench, type SetBench } from "../../helpers/set-bench.ts";
import type { TestWorkerOptions } from "../../helpers/workers.ts";

const { signal } = new AbortController();
let bench: SetBench;
afterEach(() => bench[Symbol.asyncDispose]());

async function open(options: TestWorkerOptions = {}): Promise<readonly [LibrarySet, LibrarySet]> {
  bench = await openSetBench(options);
  const make = (name: string) => bench.makeSet(name, { packages: { [`${name}@1.0.0`]: { "index.js": "" } } });
  return [await make("one"), await make("two")];
}

const lease = (set?: LibrarySet, purpose: LeasePurpose = "interactive") =>
  bench.workers.lease(purpose, { signal, set });
const giveBack = (given: WorkerLease) => given[Symbol.asyncDispose]();
const pidOf = async (set?: LibrarySet, purpose?: LeasePurpose) => {
  const given = await lease(set, purpose);
  await giveBack(given);
  return given.pid;
};

describe("a pool whose workers have library sets", () => {
  test("lends each to those who ask for its set, and keeps it for the next one", async () => {
    const [one, two] = await open({ max: 3 });
    const first = [await pidOf(one), await pidOf(two), await pidOf()];
    expect(new Set(first).size).toBe(3);
    expect([await pidOf(one), await pidOf(two), await pidOf()]).toEqual(first);
    expect(bench.events.map((event) => "librarySet" in event && event.librarySet)).toEqual(["one", "two", false]);
  });

  test("knows a set by what it holds, not by its name", async () => {
    const [one] = await open({ max: 2 });
    expect(await pidOf({ ...one, name: "another-name" })).toBe(await pidOf(one));
  });

  test("lets one that is idle give way when there is no room for one with another set", async () => {
    const [one, two] = await open({ max: 1 });
    const before = await pidOf(one);
    const after = await pidOf(two, "first");
    expect(after).not.toBe(before);
    expect(existsSync(`/proc/${before}`)).toBe(false);
    expect(await pidOf()).not.toBe(after);
    expect(bench.workers.status()).toMatchObject({ now: 1, busy: 0 });
  });

  test("has no more workers than it may while one gives way", async () => {
    const [one, two] = await open({ max: 2 });
    await Promise.all([pidOf(one), pidOf(one)]);
    const most = { now: 0 };
    const looking = setInterval(() => {
      most.now = Math.max(most.now, bench.workers.status().now);
    }, 1);
    await Promise.all([pidOf(two), pidOf(), pidOf(two), pidOf(one)]);
    clearInterval(looking);
    expect(most.now).toBe(2);
  });

  test("serves everybody in the end, however many sets share one worker", async () => {
    const [one, two] = await open({ max: 1 });
    const sets = [one, two, undefined];
    const order: string[] = [];
    const held = await lease(one);
    const asked = Array.from({ length: 12 }, async (_, index) => {
      const set = sets[index % 3];
      const given = await lease(set, index % 4 === 3 ? "first" : "interactive");
      order.push(set?.name ?? "built-in");
      await giveBack(given);
    });
    await giveBack(held);
    await Promise.all(asked);
    expect([...order].sort()).toEqual([...Array(4).fill("built-in"), ...Array(4).fill("one"), ...Array(4).fill("two")]);
    // Those who ask for what is there need not wait for a start each time.
    const changes = order.filter((name, index) => index > 0 && name !== order[index - 1]).length;
    expect(changes).toBeLessThan(11);
  });

  test("ends those that are idle for long, and keeps as few of the built-in set as it was told to", async () => {
    const [one] = await open({ min: 1, initial: 1, max: 2, idleMs: 50 });
    const pid = await pidOf(one);
    await expect.poll(() => existsSync(`/proc/${pid}`)).toBe(false);
    await expect.poll(() => bench.workers.status()).toMatchObject({ now: 1, pendingToAdd: 0 });
    const kept = await pidOf();
    expect(kept).not.toBe(pid);
  });

  test("tells those who wait for a set that it can't be used, and nobody else", async () => {
    const [one, two] = await open({ max: 3 });
    const gone: LibrarySet = { ...one, name: "gone", hash: "f".repeat(64) };
    const ends = await Promise.allSettled([lease(gone), lease(two), lease(gone, "first"), lease()]);
    expect(ends.map(({ status }) => status)).toEqual(["rejected", "fulfilled", "rejected", "fulfilled"]);
    for (const end of ends) if (end.status === "fulfilled") await giveBack(end.value);
  });

  test("uses no set whose files are not what they were when it was made, and looks again once they may be", async () => {
    const [one] = await open();
    const file = join(bench.folderOf(one), "node_modules/one/index.js");
    await chmod(file, 0o644);
    await appendFile(file, "1");
    await expect(lease(one)).rejects.toMatchObject({
      reason: "LIBRARY_SET_DAMAGED",
      message: expect.stringContaining("node_modules/one/index.js was altered"),
    });
    await truncate(file);
    await giveBack(await lease(one));
    // From then on only what a worker loads is looked at.
    await appendFile(file, "1");
    await giveBack(await lease(one));
  });
});
