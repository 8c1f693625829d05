import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Catalog, openCatalog } from "../../../src/catalog/catalog.ts";
import { claimInstance, type Instance } from "../../../src/catalog/instance.ts";
import type { HistoryStore } from "../../../src/operations/history.ts";
import type { OperationRequest, OperationSnapshot, Operations } from "../../../src/operations/model.ts";
import { createOperations } from "../../../src/operations/operations.ts";
import { accessWith, EVERYTHING } from "../../helpers/access.ts";
import { temporaryFolder } from "../../helpers/temporary-folder.ts";

const everything = { pageSize: 100_000, pageToken: "", kinds: [], states: [], labels: {}, dataset: "" };
const all = { maxPerKind: 100_000, endedAfter: new Date(0) };

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let instance: Instance;
let catalog: Catalog;

beforeEach(async () => {
  folder = await temporaryFolder();
  instance = await claimInstance({ dataDirectory: folder.path, id: "own" });
  catalog = await openCatalog({ dataDirectory: folder.path, instance });
});

afterEach(async () => {
  await catalog[Symbol.asyncDispose]();
  await instance[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

function request(id: string, kind: OperationRequest["kind"] = "query"): OperationRequest {
  return { id, kind, dataset: "a", requestedBy: "ann", labels: {}, configuration: { id } };
}

function runShort(operations: Operations, id: string, kind: OperationRequest["kind"] = "query"): Promise<number> {
  return operations.run(request(id, kind), async () => ({ result: 1, outcome: {} }), {}).done;
}

async function written(store: HistoryStore): Promise<OperationSnapshot[]> {
  const found: OperationSnapshot[] = [];
  for await (const some of store.load(all)) found.push(...some);
  return found;
}

function ids(operations: readonly OperationSnapshot[]): string[] {
  return operations.map(({ id }) => id);
}

describe("the history", () => {
  it("is what it was before a restart, with all that was in memory", async () => {
    const before = createOperations({ history: catalog.operations });
    for (let index = 0; index < 200; index++) await runShort(before, `op-${index}`, index % 2 === 0 ? "load" : "query");
    const list = before.list(everything).operations;
    await before.stop({ graceMs: 0 });
    await using after = createOperations({ history: catalog.operations });
    expect(after.find("op-7")).toBeUndefined();
    await after.recover();
    expect(after.list(everything).operations).toEqual(list);
    expect(after.get("op-7")).toEqual(before.get("op-7"));
    await expect(async () => runShort(after, "op-6", "load")).rejects.toMatchObject({ reason: "OPERATION_EXISTS" });
  });

  it("does not disturb what ran while it was read", async () => {
    const before = createOperations({ history: catalog.operations });
    for (const id of ["old-1", "old-2"]) await runShort(before, id);
    await before.stop({ graceMs: 0 });
    await using after = createOperations({ history: catalog.operations, maxOperations: 6 });
    const recovered = after.recover();
    for (const id of ["new-1", "new-2"]) await runShort(after, id);
    await recovered;
    expect(ids(after.list(everything).operations).sort()).toEqual(["new-1", "new-2", "old-2"]);
  });

  it("holds a load as soon as it runs, so that a crash does not forget it", async () => {
    await using operations = createOperations({ history: catalog.operations });
    const { promise, resolve } = Promise.withResolvers<void>();
    const work = async () => {
      await promise;
      return { result: 1, outcome: {} };
    };
    const { done } = operations.run(request("load", "load"), work, {});
    await using other = await openCatalog({
      dataDirectory: folder.path,
      instance: { ...instance, id: "other", isAlive: async () => false },
    });
    await expect.poll(() => other.operations.markLost()).toBe(1);
    expect(await written(catalog.operations)).toMatchObject([{ id: "load", state: "lost" }]);
    resolve();
    await done;
    await expect.poll(() => written(catalog.operations)).toMatchObject([{ state: "succeeded" }]);
  });

  describe("knows an operation that another process has left, before it is read as a whole", () => {
    /** The catalog of another process; a dead one is taken for dead at once. */
    async function opened(id: string, isAlive: boolean): Promise<Catalog> {
      const other = { ...instance, id, isAlive: async () => isAlive };
      return openCatalog({ dataDirectory: folder.path, instance: other });
    }

    async function unfinished(
      of: Operations,
      id: string,
      kind: OperationRequest["kind"],
    ): Promise<() => Promise<unknown>> {
      const { promise, resolve } = Promise.withResolvers<void>();
      const work = async () => {
        await promise;
        return { result: 1, outcome: {} };
      };
      const { done } = of.run(request(id, kind), work, {});
      return () => {
        resolve();
        return done;
      };
    }

    it("as it has ended", async () => {
      const before = createOperations({ history: catalog.operations });
      await runShort(before, "ended", "load");
      await before.stop({ graceMs: 0 });
      await using after = createOperations({ history: catalog.operations });
      for (const id of ["ended", "ended", "unheard-of"]) await after.recall(id);
      expect(after.get("ended")).toEqual(before.get("ended"));
      expect(after.find("unheard-of")).toBeUndefined();
      await expect(async () => runShort(after, "ended", "load")).rejects.toMatchObject({ reason: "OPERATION_EXISTS" });
      await after.recover();
      expect(ids(after.list(everything).operations)).toEqual(["ended"]);
    });

    it("as lost where that process is dead, and as nothing while it lives", async () => {
      await using dying = createOperations({ history: catalog.operations });
      const finish = await unfinished(dying, "load", "load");
      await using besides = await opened("beside", true);
      await using next = await opened("next", false);
      await using beside = createOperations({ history: besides.operations });
      await using after = createOperations({ history: next.operations });
      const recalled = async () => {
        await after.recall("load");
        return after.find("load");
      };
      await expect.poll(recalled).toMatchObject({ state: "lost", error: { reason: "DRIVER_STOPPED" } });
      const again = await unfinished(dying, "other", "load");
      await new Promise((resolve) => setTimeout(resolve, 100));
      await beside.recall("other");
      expect(beside.find("other")).toBeUndefined();
      await Promise.all([finish(), again()]);
    });

    it("and a retry of one that was cut short takes its place, there and in the catalog", async () => {
      const dying = createOperations({ history: catalog.operations });
      const { done } = dying.run(
        request("load", "load"),
        ({ signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
        {},
      );
      await dying.stop({ graceMs: 0 });
      await expect(done).rejects.toMatchObject({ reason: "DRIVER_STOPPED" });
      const after = createOperations({ history: catalog.operations });
      await after.recall("load");
      const other = { ...request("load", "load"), configuration: { another: "source" } };
      const work = async () => ({ result: 1, outcome: { version: 7 } });
      expect(() => after.run(other, work, {})).toThrow(expect.objectContaining({ reason: "OPERATION_EXISTS" }));
      const recovered = after.recover();
      await after.run(request("load", "load"), work, {}).done;
      await recovered;
      expect(after.list(everything).operations).toMatchObject([{ id: "load", state: "succeeded" }]);
      expect(after.get("load").error).toBeUndefined();
      await after.stop({ graceMs: 0 });
      expect(await written(catalog.operations)).toMatchObject([
        { id: "load", state: "succeeded", outcome: { version: 7 } },
      ]);
    });

    it("and a query that it has answered may be asked again under its id, but no other", async () => {
      const before = createOperations({ history: catalog.operations });
      await runShort(before, "query");
      await expect(async () => runShort(before, "query")).rejects.toMatchObject({ reason: "OPERATION_EXISTS" });
      await before.stop({ graceMs: 0 });
      await using after = createOperations({ history: catalog.operations });
      await after.recover();
      const other = { ...request("query"), configuration: { another: "question" } };
      expect(after.mayReplace(other)).toBe(false);
      expect(after.mayReplace(request("query"))).toBe(true);
      await runShort(after, "query");
      expect(after.mayReplace(request("query"))).toBe(false);
    });

    it("and only by whoever has asked it, with the same in sight as then", async () => {
      const before = createOperations({ history: catalog.operations });
      const rows = [{ dataset: "a", filter: { kind: "isNull", column: "x" } }] as const;
      const asked = { ...request("query"), whose: accessWith({ rows }) };
      await before.run(asked, async () => ({ result: 1, outcome: {} }), {}).done;
      await before.stop({ graceMs: 0 });
      await using after = createOperations({ history: catalog.operations });
      await after.recall("query");
      for (const whose of [accessWith({}), accessWith({ rows, datasets: ["a"] }), EVERYTHING])
        expect(after.mayReplace({ ...asked, whose })).toBe(false);
      expect(after.mayReplace({ ...asked, whose: accessWith({ rows }) })).toBe(true);
    });
  });

  it("is never waited for by the work, and is written when the store works again", async () => {
    let broken = true;
    const errors: unknown[] = [];
    const history: HistoryStore = {
      ...catalog.operations,
      save: (operations) => (broken ? Promise.reject(new Error("broken")) : catalog.operations.save(operations)),
    };
    const operations = createOperations({ history, onHistoryError: (error) => errors.push(error) });
    for (let index = 0; index < 100; index++) await runShort(operations, `op-${index}`);
    await expect.poll(() => errors.length).toBeGreaterThan(0);
    broken = false;
    await operations.stop({ graceMs: 0 });
    expect(await written(catalog.operations)).toHaveLength(100);
  });

  it("lets a bounded number wait to be written", async () => {
    const saved: number[] = [];
    const history: HistoryStore = {
      ...catalog.operations,
      save: async (operations) => {
        saved.push(operations.length);
      },
    };
    const operations = createOperations({ history });
    for (let index = 0; index < 10_000; index++) void runShort(operations, `op-${index}`);
    await operations.stop({ graceMs: 0 });
    expect(saved.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(4096);
    expect(Math.max(...saved)).toBeLessThanOrEqual(64);
  });
});
