import { appendFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { DriverError } from "../../../src/errors/driver-error.ts";
import { createLoadFinder } from "../../../src/loading/load-finder.ts";
import { LoadWaits } from "../../../src/queries/await-load.ts";
import { EVERYTHING } from "../../helpers/access.ts";
import { sendSignal } from "../../helpers/driver-processes.ts";
import { type LoadBench, openLoadBench } from "../../helpers/load-service.ts";

// Each of these starts workers and loads; a busy machine takes its time.
vi.setConfig({ testTimeout: 240_000 });

let bench: LoadBench;
let small: string;
let big: string;
beforeAll(async () => {
  bench = await openLoadBench();
  small = join(bench.path, "small.csv");
  big = join(bench.path, "big.csv");
  await writeFile(small, "a,b\n1,x\n2,y\n");
  const rows = Array.from({ length: 20_000 }, (_, row) => `${row},name ${row},${row / 4},2024-01-01 00:00:00\n`).join(
    "",
  );
  await writeFile(big, "id,name,v,at\n");
  for (let part = 0; part < 40; part++) await appendFile(big, rows);
});
afterAll(() => bench[Symbol.asyncDispose]());

async function phase(id: string, wanted: string): Promise<void> {
  for await (const event of bench.operations.watch(id, { signal: new AbortController().signal }))
    if (event.type === "progress" && event.progress.phase === wanted) return;
  throw new Error(`${id} ended before it was seen ${wanted}`);
}

/** Waits until a load reads; it reads no further until this is disposed. */
async function heldReading(id: string): Promise<Disposable> {
  await phase(id, "reading");
  return bench.holdWorkers();
}

describe("a load", () => {
  it("answers at once and publishes a version with its lineage", async () => {
    const { operation, joined } = await bench.start("plain", small, {
      labels: { team: "a" },
      options: { types: "b=VARCHAR" },
    });
    expect(joined).toBe(false);
    expect(["pending", "running"]).toContain(operation.state);
    const ended = await bench.end(operation.id);
    expect(ended).toMatchObject({
      state: "succeeded",
      requestedBy: "test",
      configuration: { format: "csv", uri: small, options: { types: "b=VARCHAR" } },
      outcome: { version: 1, rows: 2, rejectedRows: 0, rejectedSamples: [], warnings: [], sourceBytes: 12 },
      progress: { phase: "publishing", fraction: 1, rows: 2, bytes: 12, totalBytes: 12 },
    });
    const info = bench.datasets.get("plain");
    expect(info).toMatchObject({ labels: { team: "a" }, current: { number: 1, rows: 2, sourceBytes: 12 } });
    expect(info.current.columns.map(({ name, type, kind }) => [name, type, kind])).toEqual([
      ["a", "BIGINT", "integer"],
      ["b", "VARCHAR", "text"],
    ]);
    expect(info.current.lineage).toEqual({
      format: "csv",
      uri: small,
      options: { types: "b=VARCHAR" },
      operationId: operation.id,
      readTime: expect.stringMatching(/^\d{4}-.*Z$/),
    });
    expect(await bench.staged()).toEqual([]);
  });

  it("makes a new version each time", async () => {
    for (const version of [1, 2]) {
      const ended = await bench.end((await bench.start("again", small)).operation.id);
      expect(ended.outcome).toMatchObject({ version });
    }
  });

  it("that starts over with another worker says once what there is to say", async () => {
    const path = join(bench.path, "late.csv");
    await writeFile(path, `n,t\n${"1,a\n".repeat(100_000)}x,a\n${"1,a\n".repeat(900_000)}`);
    const { operation } = await bench.start("late", path);
    for await (const event of bench.operations.watch(operation.id, { signal: new AbortController().signal }))
      if (event.type === "warning") break;
    for (const pid of bench.workerPids()) sendSignal(pid, "SIGKILL");
    const { state, outcome } = await bench.end(operation.id);
    expect({ state, warnings: outcome?.warnings }).toEqual({
      state: "succeeded",
      warnings: [expect.stringContaining("starts over"), expect.stringContaining("VARCHAR")],
    });
  });

  it("passes through its phases with progress that never goes back", async () => {
    const events = await bench.events((await bench.start("phases", big)).operation.id);
    const progress = events.flatMap((event) => (event.type === "progress" ? [event.progress] : []));
    expect(progress.length).toBeGreaterThan(2);
    for (const [at, { fraction = 0, rows, bytes }] of progress.entries()) {
      const before = progress[at - 1];
      expect(fraction).toBeGreaterThanOrEqual(before?.fraction ?? 0);
      expect(rows).toBeGreaterThanOrEqual(before?.rows ?? 0);
      expect(bytes).toBeGreaterThanOrEqual(before?.bytes ?? 0);
    }
    const phases = [...new Set(progress.map((each) => each.phase))].filter((name) => name !== "");
    expect(["sniffing", "reading", "publishing"].filter((name) => phases.includes(name))).toEqual(phases);
    const last = events.at(-1);
    expect(last).toMatchObject({
      type: "ended",
      operation: { state: "succeeded", progress: { rows: 800_000, fraction: 1 } },
    });
  });

  it("tells watchers and the outcome what was widened and what was skipped", async () => {
    const path = join(bench.path, "widened.csv");
    await writeFile(path, `a,b\n${"1,2\n".repeat(10_000)}007,2\n1,2,3\n`);
    const { operation } = await bench.start("widened", path, { options: { badRows: "skip" } });
    const events = await bench.events(operation.id);
    const warnings = events.flatMap((event) => (event.type === "warning" ? [event.message] : []));
    expect(warnings).toEqual([expect.stringContaining('"007"')]);
    const ended = await bench.end(operation.id);
    expect(ended.outcome).toMatchObject({
      rows: 10_001,
      rejectedRows: 1,
      warnings,
      rejectedSamples: [{ file: path, line: 10_003, text: "1,2,3" }],
    });
    expect(bench.datasets.get("widened").current).toMatchObject({ warnings, rejectedRows: 1 });
  });

  it("keeps an outcome whole though its rejected rows are long", async () => {
    const path = join(bench.path, "long.csv");
    await writeFile(path, `a,b\n1,1\n${`${"x".repeat(5_000)},2,3\n`.repeat(200)}`);
    const ended = await bench.end((await bench.start("long", path, { options: { badRows: "skip" } })).operation.id);
    expect(ended.outcome).toMatchObject({ version: 1, rows: 1, rejectedRows: 200 });
    expect(ended.outcome?.rejectedSamples).toHaveLength(100);
  });
});

describe("two loads of one dataset", () => {
  it("are one when source and options are the same", async () => {
    const held = await bench.holdLoads();
    const first = await bench.start("twice", big, { options: { delimiter: ",", header: true } });
    const second = await bench.start("twice", big, { options: { header: true, delimiter: "," } });
    expect(second.joined).toBe(true);
    await held[Symbol.asyncDispose]();
    const [one, two] = await Promise.all([bench.end(first.operation.id), bench.end(second.operation.id)]);
    expect(one).toMatchObject({ state: "succeeded", outcome: { version: 1 } });
    expect(two).toMatchObject({ state: "succeeded", outcome: one.outcome });
    expect(bench.datasets.get("twice").current.number).toBe(1);
    const third = await bench.start("twice", small);
    expect(third.joined).toBe(false);
    expect((await bench.end(third.operation.id)).outcome).toMatchObject({ version: 2 });
  });

  it("are a conflict when they differ", async () => {
    const held = await bench.holdLoads();
    const first = await bench.start("conflict", big);
    for (const attempt of [
      () => bench.start("conflict", small),
      () => bench.start("conflict", big, { options: { header: true } }),
    ])
      await expect(attempt()).rejects.toThrow(
        expect.objectContaining({
          reason: "LOAD_CONFLICT",
          metadata: { dataset: "conflict", operation: first.operation.id },
        }),
      );
    await held[Symbol.asyncDispose]();
    await bench.end(first.operation.id);
    expect(bench.datasets.get("conflict").current).toMatchObject({ number: 1, rows: 800_000 });
  });

  it("of different datasets run side by side", async () => {
    const [one, two] = [await bench.start("side-1", big), await bench.start("side-2", big)];
    expect((await bench.end(one.operation.id)).state).toBe("succeeded");
    expect((await bench.end(two.operation.id)).state).toBe("succeeded");
  });
});

describe("a load that many have asked for", () => {
  const ids = Array.from({ length: 20 }, (_, index) => `share-${index}`);
  const cancelled = new DriverError("CANCELLED", "somebody cancelled it");

  it("goes on while one of them wants it, whoever began it", async () => {
    const started = await Promise.all(ids.map((operationId) => bench.start("shared", big, { operationId })));
    expect(started.filter(({ joined }) => !joined)).toHaveLength(1);
    const held = await heldReading("share-7");
    const others = ids.filter((id) => id !== "share-7");
    expect(bench.loads.others("share-0")).toBe(19);
    for (const id of others)
      expect(await bench.operations.cancel(id, cancelled)).toMatchObject({ state: "cancelled", error: cancelled });
    const late = await bench.start("shared", big, { operationId: "share-late" });
    expect(late).toMatchObject({ joined: true, operation: { state: "running", progress: { phase: "reading" } } });
    held[Symbol.dispose]();
    expect(await bench.end("share-7")).toMatchObject({ state: "succeeded", outcome: { version: 1, rows: 800_000 } });
    expect(await bench.end("share-late")).toMatchObject({ state: "succeeded", outcome: { version: 1 } });
    expect(bench.datasets.get("shared").current.lineage.operationId).toBe("share-7");
    expect(await bench.staged()).toEqual([]);
  });

  it("stops when the last of them cancels", async () => {
    const more = ids.map((id) => `${id}-again`);
    const waiting = await bench.holdLoads();
    for (const operationId of more) await bench.start("unwanted", big, { operationId });
    await waiting[Symbol.asyncDispose]();
    const held = await heldReading("share-0-again");
    for (const id of more) {
      expect(bench.workers.status().busy).toBeGreaterThan(0);
      // The last one stops it.
      if (id === more.at(-1)) held[Symbol.dispose]();
      expect((await bench.operations.cancel(id, cancelled)).state).toBe("cancelled");
    }
    expect(bench.workers.status().busy).toBe(0);
    expect(await bench.staged()).toEqual([]);
    expect(() => bench.datasets.get("unwanted")).toThrow(expect.objectContaining({ reason: "DATASET_NOT_FOUND" }));
    expect((await bench.end((await bench.start("unwanted", small)).operation.id)).state).toBe("succeeded");
  });

  it("is waited for by who reads, however many of those leave it that wanted it", async () => {
    const [last = "", ...leaving] = ids.slice(0, 6).map((id) => `${id}-read`);
    for (const operationId of [...leaving, last]) await bench.start("read", big, { operationId });
    const { loads, operations, datasets, catalog } = bench;
    const notes = { keep: () => new AsyncDisposableStack(), read: async () => undefined };
    const finder = createLoadFinder({ loads, operations, datasets, notes, claims: catalog.loads });
    const { signal } = new AbortController();
    const read = async () => {
      await using pinned = await datasets.pin("read", 0, { signal });
      return pinned.manifest.rows;
    };
    const waits = new LoadWaits(finder, { maxWaiting: 1 });
    const reading = waits.run(read, { requestedBy: "test", access: EVERYTHING, caller: "test", wait: true, signal });
    for (const id of leaving) {
      await setTimeout(20);
      await operations.cancel(id, cancelled);
    }
    expect(await reading).toBe(800_000);
    expect((await bench.end(last)).state).toBe("succeeded");
  });

  it("is no matter any more for whoever asks for another one while it stops", async () => {
    await bench.start("changed", big, { operationId: "wrong" });
    const held = await heldReading("wrong");
    const stopped = bench.operations.cancel("wrong", cancelled);
    held[Symbol.dispose]();
    const next = [bench.start("changed", small), bench.start("changed", small)];
    for (const { operation } of await Promise.all(next))
      expect(await bench.end(operation.id)).toMatchObject({ state: "succeeded", outcome: { rows: 2 } });
    expect((await stopped).state).toBe("cancelled");
  });

  it("stops for everybody where that is asked for", async () => {
    const waiting = await bench.holdLoads();
    for (const operationId of ["all-1", "all-2", "all-3"]) await bench.start("all", big, { operationId });
    await waiting[Symbol.asyncDispose]();
    await bench.loads.cancelForAll("all-2", cancelled);
    for (const id of ["all-1", "all-2", "all-3"])
      expect(bench.operations.get(id)).toMatchObject({ state: "cancelled", error: cancelled });
    expect(bench.workers.status().busy).toBe(0);
    expect(await bench.staged()).toEqual([]);
  });

  it("fails for all of them", async () => {
    const path = join(bench.path, "ragged.csv");
    await writeFile(path, `a,b\n${"1,x\n".repeat(50_000)}1\n`);
    const both = await Promise.all([bench.start("fails", path), bench.start("fails", path)]);
    for (const { operation } of both)
      expect(await bench.end(operation.id)).toMatchObject({ state: "failed", error: { reason: "RAGGED_ROWS" } });
  });

  it("is the same operation for each of them who asks again, also after the end", async () => {
    const held = await bench.holdLoads();
    await bench.start("repeated", big, { operationId: "repeat-1" });
    await bench.start("repeated", big, { operationId: "repeat-2" });
    expect((await bench.start("repeated", big, { operationId: "repeat-2" })).operation.id).toBe("repeat-2");
    expect(bench.loads.others("repeat-1")).toBe(1);
    await held[Symbol.asyncDispose]();
    await bench.end("repeat-2");
    const again = await bench.start("repeated", big, { operationId: "repeat-2" });
    expect(again).toMatchObject({ joined: false, operation: { state: "succeeded", outcome: { version: 1 } } });
  });
});

describe("an operation id", () => {
  it("means the same load, also after its end", async () => {
    const first = await bench.start("named", small, { operationId: "load-1" });
    expect(first.operation.id).toBe("load-1");
    expect((await bench.start("named", small, { operationId: "load-1" })).operation.id).toBe("load-1");
    await bench.end("load-1");
    const again = await bench.start("named", small, { operationId: "load-1" });
    expect(again).toMatchObject({ joined: false, operation: { id: "load-1", state: "succeeded" } });
    expect(bench.datasets.get("named").current.number).toBe(1);
  });

  it("can't stand for another request", async () => {
    await bench.end((await bench.start("named-2", small, { operationId: "load-2" })).operation.id);
    const attempts = [
      () => bench.start("named-3", small, { operationId: "load-2" }),
      () => bench.start("named-2", big, { operationId: "load-2" }),
      () => bench.start("named-2", small, { operationId: "load-2", options: { header: true } }),
    ];
    for (const attempt of attempts)
      await expect(attempt()).rejects.toThrow(expect.objectContaining({ reason: "OPERATION_EXISTS" }));
  });
});

const ANY = { pageSize: 100, pageToken: "", kinds: [], states: [], labels: {}, dataset: "" } as const;

describe("what is wrong with a request", () => {
  it.each([
    ["UNKNOWN_OPTION", "a.csv", { delimeter: ";" }],
    ["INVALID_OPTION", "a.csv", { types: "a=NOTHING" }],
    ["UNKNOWN_FORMAT", "a.unknown", {}],
  ])("%s is thrown at once and makes no operation", async (reason, name, options) => {
    const before = bench.operations.list(ANY).operations.length;
    await expect(bench.start("wrong", `/x/${name}`, { options })).rejects.toThrow(expect.objectContaining({ reason }));
    expect(bench.operations.list(ANY).operations).toHaveLength(before);
  });
});

describe("a load that fails", () => {
  it("leaves the previous version and nothing else", async () => {
    await bench.end((await bench.start("kept", small)).operation.id);
    const before = bench.datasets.get("kept").current;
    const path = join(bench.path, "broken.csv");
    await writeFile(path, `a,b\n${"1,x\n".repeat(50_000)}1\n`);
    const cases: readonly (readonly [string, string])[] = [
      [path, "RAGGED_ROWS"],
      [join(bench.path, "none.csv"), "SOURCE_NOT_FOUND"],
    ];
    for (const [uri, reason] of cases) {
      const ended = await bench.end((await bench.start("kept", uri)).operation.id);
      expect(ended).toMatchObject({ state: "failed", error: { reason } });
    }
    expect(bench.datasets.get("kept").current).toEqual(before);
    expect(await bench.staged()).toEqual([]);
  });

  it("makes no dataset", async () => {
    const ended = await bench.end((await bench.start("never", "/no/such.csv")).operation.id);
    expect(ended.error).toMatchObject({ reason: "SOURCE_NOT_FOUND", message: expect.stringContaining("/no/such.csv") });
    expect(() => bench.datasets.get("never")).toThrow(expect.objectContaining({ reason: "DATASET_NOT_FOUND" }));
  });

  it("can be tried again at once", async () => {
    const path = join(bench.path, "mended.csv");
    await writeFile(path, "");
    expect((await bench.end((await bench.start("mended", path)).operation.id)).error?.reason).toBe("EMPTY_SOURCE");
    await writeFile(path, "a\n1\n");
    expect((await bench.end((await bench.start("mended", path)).operation.id)).state).toBe("succeeded");
  });
});

describe("cancel", () => {
  it.each(["at once", "while reading"])("stops the engine and leaves nothing: %s", async (when) => {
    const { operation } = await bench.start("cancelled", big);
    if (when === "while reading") await phase(operation.id, "reading");
    const ended = await bench.operations.cancel(operation.id, new DriverError("CANCELLED", "somebody cancelled it"));
    expect(ended).toMatchObject({
      state: "cancelled",
      error: { reason: "CANCELLED", message: "somebody cancelled it" },
    });
    expect(bench.workers.status().busy).toBe(0);
    expect(await bench.staged()).toEqual([]);
    expect((await bench.end((await bench.start("after-cancel", small)).operation.id)).state).toBe("succeeded");
  });

  it("stops a file from being decoded", async () => {
    const path = join(bench.path, "utf16.csv.gz");
    await writeFile(path, gzipSync(Buffer.from((await readFile(big, "utf8")).repeat(3), "utf16le")));
    const { operation } = await bench.start("decoding", path, { options: { encoding: "utf-16le" } });
    await phase(operation.id, "sniffing");
    const ended = await bench.operations.cancel(operation.id, new DriverError("CANCELLED", "somebody cancelled it"));
    expect(ended.state).toBe("cancelled");
    expect(await bench.staged()).toEqual([]);
  });
});

describe("a file that changes while it is loaded", () => {
  it.each([
    ["grows", (path: string) => appendFile(path, "1,x,2,2024-01-01 00:00:00\n")],
    ["shrinks", (path: string) => writeFile(path, "id,name,v,at\n1,x,2,2024-01-01 00:00:00\n")],
  ])("fails the load when it %s", async (name, change) => {
    const folder = join(bench.path, name);
    await mkdir(folder);
    const path = join(folder, "data.csv");
    await writeFile(path, await readFile(big));
    const { operation } = await bench.start(name, path);
    const held = await heldReading(operation.id);
    await change(path);
    held[Symbol.dispose]();
    const ended = await bench.end(operation.id);
    expect(ended).toMatchObject({ state: "failed", error: { reason: "SOURCE_CHANGED" } });
    expect(() => bench.datasets.get(name)).toThrow(expect.objectContaining({ reason: "DATASET_NOT_FOUND" }));
    expect(await bench.staged()).toEqual([]);
  });
});

it("is refused or stopped when the quota of the data directory is reached", async () => {
  await using tight = await openLoadBench({ quotaBytes: 2_000_000 });
  const first = await tight.end((await tight.start("quota", big)).operation.id);
  const second = first.state === "failed" ? first : await tight.end((await tight.start("quota-2", big)).operation.id);
  expect(second).toMatchObject({ state: "failed", error: { reason: "QUOTA_EXCEEDED" } });
});
