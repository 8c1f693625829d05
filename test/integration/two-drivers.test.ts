import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { QueryService } from "../../src/gen/drover/v1/query_service_pb.js";
import type { TestDriver } from "../helpers/driver.ts";
import { GrpcClient } from "../helpers/grpc-client.ts";
import { type HeldFile, holdFile } from "../helpers/held-file.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";
import {
  call,
  end,
  load,
  type OperationJson,
  startLoad,
  startOn,
  sum,
  until,
  writeSource,
} from "../helpers/two-drivers.ts";

const MANY_ROWS = 1_000_000;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let dataDir: string;
/** Its sum is 7. */
let held: HeldFile;
let one: TestDriver;
let two: TestDriver;

beforeEach(async () => {
  folder = await temporaryFolder();
  dataDir = join(folder.path, "data");
  held = await holdFile("held.csv", "i,t\n7,x\n");
  one = await startOn(dataDir, "one");
  two = await startOn(dataDir, "two");
});

afterEach(async () => {
  await one[Symbol.asyncDispose]();
  await two[Symbol.asyncDispose]();
  await held[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

async function versionsOnDisk(): Promise<string[]> {
  const paths = await readdir(join(dataDir, "datasets"), { recursive: true });
  return paths.filter((path) => /versions\/\d+$/.test(path)).map((path) => String(path.split("/").at(-1)));
}

/** Starts a load of a held file and waits until it is read. */
async function reading(driver: TestDriver, dataset: string, operationId: string, file = held): Promise<void> {
  await startLoad(driver, dataset, file.uri, { operationId });
  await file.asked;
}

function waitsFor(id: string) {
  return ({ progress }: OperationJson) => progress.phase === `waiting for operation ${id} of another driver`;
}

describe("a dataset", { timeout: 120_000 }, () => {
  test("that one driver publishes, relabels or deletes is so for the other in the next call", async () => {
    await load(one, "a", await writeSource(folder.path, 1));
    expect(await sum(two, "a")).toBe("1");
    const labels = { team: "ops" };
    await startLoad(one, "a", await writeSource(folder.path, 2), { operationId: "labelled", labels });
    expect((await end(one, "labelled")).state).toBe("OPERATION_STATE_SUCCEEDED");
    expect(await call(two, "DatasetService/GetDataset", { dataset: "a" })).toMatchObject({
      dataset: { labels, version: { number: "2" } },
    });
    expect(await call(two, "DatasetService/ListDatasets", { labels })).toMatchObject({ datasets: [{ name: "a" }] });
    await call(two, "DatasetService/DeleteDataset", { dataset: "a" });
    expect(await sum(one, "a")).toBe("DATASET_NOT_FOUND");
    expect(await call(one, "DatasetService/ListDatasets", {})).toMatchObject({ datasets: [] });
  });

  test("that one driver deletes is read to its end by a query of the other, and then gone", async () => {
    await load(one, "a", await writeSource(folder.path, 1, MANY_ROWS));
    using client = new GrpcClient(two.address, { token: two.token });
    const sql = 'SELECT i, t, t || t AS u FROM "a"';
    const stream = client.stream(QueryService.method.runQuery, { question: { kind: { case: "sql", value: { sql } } } });
    let [rows, deleted, completed] = [0n, false, false];
    for await (const { event } of stream) {
      if (event.case === "frameBatch" && !deleted) {
        deleted = true;
        expect((await call(one, "DatasetService/DeleteDataset", { dataset: "a" })).failure).toBeUndefined();
        expect(await sum(two, "a")).toBe("DATASET_NOT_FOUND");
      }
      if (event.case === "frameEnd") rows = event.value.rows;
      if (event.case === "completed") completed = true;
    }
    expect({ rows, deleted, completed }).toEqual({ rows: BigInt(MANY_ROWS), deleted: true, completed: true });
    await expect.poll(() => readdir(join(dataDir, "datasets"))).toEqual([]);
  });

  test("that one driver publishes again and again, keeping one version, is read by the other all the time", async () => {
    const rounds = 15;
    await load(one, "a", await writeSource(folder.path, 0));
    let published = 0;
    let done = false;
    const seen: number[] = [];
    const read = async () => {
      while (!done) {
        const least = published;
        const found = await sum(two, "a");
        expect(found).toMatch(/^\d+$/);
        expect(Number(found)).toBeGreaterThanOrEqual(least);
        seen.push(Number(found));
      }
    };
    const readers = Promise.all([read(), read(), read()]);
    await expect.poll(() => seen).toContain(0);
    for (let round = 1; round <= rounds; round++) {
      expect(await load(one, "a", await writeSource(folder.path, round))).toBe("OPERATION_STATE_SUCCEEDED");
      published = round;
    }
    await expect.poll(() => seen).toContain(rounds);
    done = true;
    await readers;
    expect(await sum(two, "a")).toBe(String(rounds));
    await expect.poll(versionsOnDisk).toEqual([String(rounds + 1)]);
    expect(`${one.log()}${two.log()}`).not.toMatch(/"level":"error"/);
  });
});

describe("a load that the other driver carries out already", { timeout: 120_000 }, () => {
  test("is waited for, and gives its version, once", async () => {
    await reading(one, "a", "first");
    await startLoad(two, "a", held.uri, { operationId: "second" });
    await until(two, "second", waitsFor("first"));
    held.letGo();
    const [first, second] = [await end(one, "first"), await end(two, "second")];
    expect(second.state).toBe("OPERATION_STATE_SUCCEEDED");
    expect(second.outcome).toEqual(first.outcome);
    expect(await versionsOnDisk()).toEqual(["1"]);
    expect(await sum(two, "a")).toBe("7");
  });

  test("is a conflict that names it when source or options differ, also for a deletion", async () => {
    await load(one, "a", await writeSource(folder.path, 1));
    await reading(one, "a", "first");
    const conflict = { reason: "LOAD_CONFLICT", metadata: { dataset: "a", operation: "first" } };
    expect((await startLoad(two, "a", await writeSource(folder.path, 8))).failure).toMatchObject(conflict);
    const options = { source: { uri: held.uri, options: { header: true } } };
    expect((await startLoad(two, "a", held.uri, options)).failure).toMatchObject(conflict);
    const deletion = await call(two, "DatasetService/DeleteDataset", { dataset: "a" });
    expect(deletion.failure).toMatchObject(conflict);
    expect(await load(two, "b", await writeSource(folder.path, 9))).toBe("OPERATION_STATE_SUCCEEDED");
    held.letGo();
    expect((await end(one, "first")).state).toBe("OPERATION_STATE_SUCCEEDED");
    expect(await load(two, "a", await writeSource(folder.path, 8))).toBe("OPERATION_STATE_SUCCEEDED");
    expect(await sum(one, "a")).toBe("8");
  });

  test("is taken over when that driver is killed", async () => {
    await reading(one, "a", "first");
    await startLoad(two, "a", held.uri, { operationId: "second" });
    await until(two, "second", waitsFor("first"));
    await one.stop("SIGKILL");
    held.letGo();
    expect(await end(two, "second")).toMatchObject({ state: "OPERATION_STATE_SUCCEEDED", outcome: { version: 1 } });
    expect(await sum(two, "a")).toBe("7");
    await expect.poll(() => readdir(join(dataDir, "staging")), { timeout: 60_000 }).toEqual([two.instanceId]);
  });

  test("is taken over when it is cancelled there, and its wait can be cancelled here", async () => {
    await reading(one, "a", "first");
    for (const operationId of ["second", "third"]) {
      await startLoad(two, "a", held.uri, { operationId });
      await until(two, operationId, waitsFor("first"));
      if (operationId === "second") await call(two, "OperationService/CancelOperation", { id: operationId });
    }
    expect((await end(two, "second")).state).toBe("OPERATION_STATE_CANCELLED");
    await call(one, "OperationService/CancelOperation", { id: "first" });
    held.letGo();
    expect((await end(two, "third")).state).toBe("OPERATION_STATE_SUCCEEDED");
    expect(await sum(one, "a")).toBe("7");
  });

  test.each(["there", "here"])("stops for everybody when that is asked for %s", async (where) => {
    await reading(one, "a", "first");
    for (const operationId of ["second", "third"]) await startLoad(two, "a", held.uri, { operationId });
    for (const id of ["second", "third"]) await until(two, id, waitsFor("first"));
    if (where === "there") await call(one, "OperationService/CancelOperation", { id: "first", everybody: true });
    else await call(two, "OperationService/CancelOperation", { id: "third", everybody: true });
    expect((await end(one, "first")).state).toBe("OPERATION_STATE_CANCELLED");
    for (const id of ["second", "third"]) expect((await end(two, id)).state).toBe("OPERATION_STATE_CANCELLED");
    expect(await sum(two, "a")).toBe("DATASET_NOT_FOUND");
  });

  test("fails here as it fails there", async () => {
    await using bad = await holdFile("bad.csv", "i,t\n7,x\n1,too,many,fields\n");
    await reading(one, "a", "first", bad);
    await startLoad(two, "a", bad.uri, { operationId: "second" });
    await until(two, "second", waitsFor("first"));
    bad.letGo();
    const [first, second] = [await end(one, "first"), await end(two, "second")];
    expect(first.state).toBe("OPERATION_STATE_FAILED");
    expect(second).toMatchObject({ state: "OPERATION_STATE_FAILED", error: { message: first.error?.message } });
  });

  test("is the same operation when it is asked for by its id", async () => {
    await reading(one, "a", "same");
    await startLoad(two, "a", held.uri, { operationId: "same" });
    await until(two, "same", waitsFor("same"));
    held.letGo();
    expect((await end(two, "same")).outcome).toMatchObject({ version: 1 });
    expect((await end(one, "same")).outcome).toMatchObject({ version: 1 });
    expect(await versionsOnDisk()).toEqual(["1"]);
  });
});
