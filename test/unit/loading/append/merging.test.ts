import { setTimeout } from "node:timers/promises";
import { describe, expect, it, vi } from "vitest";
import { append, appendRequest, END, json } from "../../../helpers/appending.ts";
import { type LoadBench, openLoadBench } from "../../../helpers/load-service.ts";

// Each of these starts workers and loads; a busy machine takes its time.
vi.setConfig({ testTimeout: 240_000 });

/** Small enough that a few hundred rows are a large segment. */
const limits = { maxRows: 400, maxBytes: 1e6, maxRowGroupBytes: 1e6 };
const create = [
  { name: "a", type: "BIGINT" },
  { name: "t", type: "VARCHAR" },
];

async function idle(bench: LoadBench): Promise<void> {
  await expect.poll(() => bench.workers.status().busy).toBe(0);
  // A merge that looks again needs a moment.
  await setTimeout(50);
  await expect.poll(() => bench.workers.status().busy).toBe(0);
}

function merges(bench: LoadBench) {
  return bench.appendEvents.filter(({ type }) => type === "merged");
}

describe("small segments", () => {
  it("are merged behind the backs of their readers, with the same rows", async () => {
    await using bench = await openLoadBench({ limits });
    const { signal } = new AbortController();
    for (let at = 0; at < 7; at++)
      await append(bench, appendRequest("m", { create, names: ["a", "t"] }), [json([at, "x"]), END]);
    await using before = await bench.datasets.pin("m", 0, { signal });
    await append(bench, appendRequest("m", { names: ["a", "t"] }), [json([7, "y"]), END]);
    await expect.poll(() => merges(bench)).toHaveLength(1);
    const { current } = bench.datasets.get("m");
    expect(current).toMatchObject({ number: 9, rows: 8, lineage: { extends: 8, merged: { from: 8, into: 1 } } });
    expect(current.segments).toMatchObject([{ rows: 8 }]);
    expect(await bench.query("m", "SELECT a::INTEGER, t FROM m ORDER BY a")).toEqual(
      Array.from({ length: 8 }, (_, at) => [at, at === 7 ? "y" : "x"]),
    );
    expect(before.manifest).toMatchObject({ number: 7, rows: 7 });
    expect(before.segmentPaths).toHaveLength(7);
  });

  it("stay few while streams append, and every row is there once", async () => {
    await using bench = await openLoadBench({ limits });
    const random = (max: number) => Math.floor(Math.random() * max);
    let next = 0;
    const stream = async () => {
      for (let flush = 0; flush < 15; flush++) {
        const rows = Array.from({ length: 1 + random(60) }, () => [next++, "x".repeat(random(20))]);
        await append(bench, appendRequest("many", { create, names: ["a", "t"] }), [json(...rows), END]);
        const { current } = bench.datasets.get("many");
        expect(current.rows).toBe(current.segments.reduce((sum, { rows: each }) => sum + each, 0));
      }
    };
    await Promise.all([stream(), stream(), stream(), stream()]);
    await expect.poll(() => merges(bench).length).toBeGreaterThan(3);
    await expect.poll(() => bench.datasets.get("many").current.segments.length).toBeLessThan(30);
    await idle(bench);
    expect(bench.appendEvents.filter(({ type }) => type === "mergeFailed")).toEqual([]);
    const { current } = bench.datasets.get("many");
    expect(current.rows).toBe(next);
    const sql = "SELECT count(*)::INTEGER, count(DISTINCT a)::INTEGER, max(a)::INTEGER FROM many";
    expect(await bench.query("many", sql)).toEqual([[next, next, next - 1]]);
    // Versions that appends have made do not pile up either: those that nobody reads go after a while.
    expect((await bench.datasets.versions("many")).length).toBeLessThanOrEqual(103);
  });

  it("of a dataset that was deleted or replaced meanwhile are left alone", async () => {
    await using bench = await openLoadBench({ limits });
    for (let round = 0; round < 3; round++) {
      for (let at = 0; at < 8; at++)
        await append(bench, appendRequest("gone", { create, names: ["a", "t"] }), [json([at, "x"]), END]);
      await bench.datasets.delete("gone");
    }
    await idle(bench);
    expect(bench.datasets.resolve("gone")).toBeUndefined();
    expect(bench.appendEvents.filter(({ type }) => type === "mergeFailed")).toEqual([]);
  });
});
