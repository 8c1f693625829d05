import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
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

let turn = 0;

/** An operation's id, which the tests before have not used. */
const id = (name: string) => `${name}-${turn}`;

beforeAll(async () => {
  folder = await temporaryFolder();
  dataDir = join(folder.path, "data");
  one = await startOn(dataDir, "one");
  two = await startOn(dataDir, "two");
});

afterAll(async () => {
  await one?.[Symbol.asyncDispose]();
  await two?.[Symbol.asyncDispose]();
  await folder?.[Symbol.asyncDispose]();
});

beforeEach(async () => {
  turn++;
  held = await holdFile("held.csv", "i,t\n7,x\n");
});

/** The next test finds two drivers without data. */
afterEach(async () => {
  await held[Symbol.asyncDispose]();
  if (one.process.signalCode !== null) one = await startOn(dataDir, "one");
  const left = async () => {
    for (const dataset of ["a", "b"]) await call(two, "DatasetService/DeleteDataset", { dataset });
    return readdir(join(dataDir, "datasets"));
  };
  await expect.poll(left).toEqual([]);
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

function waitsFor(other: string) {
  return ({ progress }: OperationJson) => progress.phase === `waiting for operation ${other} of another driver`;
}

describe("a dataset", { timeout: 120_000 }, () => {
  test("that one driver publishes, relabels or deletes is so for the other in the next call", async () => {
    await load(one, "a", await writeSource(folder.path, 1));
    expect(await sum(two, "a")).toBe("1");
    const labels = { team: "ops" };
    await startLoad(one, "a", await writeSource(folder.path, 2), { operationId: id("labelled"), labels });
    expect((await end(one, id("labelled"))).state).toBe("OPERATION_STATE_SUCCEEDED");
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
    await reading(one, "a", id("first"));
    await startLoad(two, "a", held.uri, { operationId: id("second") });
    await until(two, id("second"), waitsFor(id("first")));
    held.letGo();
    const [first, second] = [await end(one, id("first")), await end(two, id("second"))];
    expect(second.state).toBe("OPERATION_STATE_SUCCEEDED");
    expect(second.outcome).toEqual(first.outcome);
    expect(await versionsOnDisk()).toEqual(["1"]);
    expect(await sum(two, "a")).toBe("7");
  });

  test("is a conflict that names it when source or options differ, also for a deletion", async () => {
    await load(one, "a", await writeSource(folder.path, 1));
    await reading(one, "a", id("first"));
    const conflict = { reason: "LOAD_CONFLICT", metadata: { dataset: "a", operation: id("first") } };
    expect((await startLoad(two, "a", await writeSource(folder.path, 8))).failure).toMatchObject(conflict);
    const options = { source: { uri: held.uri, options: { header: true } } };
    expect((await startLoad(two, "a", held.uri, options)).failure).toMatchObject(conflict);
    const deletion = await call(two, "DatasetService/DeleteDataset", { dataset: "a" });
    expect(deletion.failure).toMatchObject(conflict);
    expect(await load(two, "b", await writeSource(folder.path, 9))).toBe("OPERATION_STATE_SUCCEEDED");
    held.letGo();
    expect((await end(one, id("first"))).state).toBe("OPERATION_STATE_SUCCEEDED");
    expect(await load(two, "a", await writeSource(folder.path, 8))).toBe("OPERATION_STATE_SUCCEEDED");
    expect(await sum(one, "a")).toBe("8");
  });

  test("is taken over when that driver is killed", async () => {
    await reading(one, "a", id("first"));
    await startLoad(two, "a", held.uri, { operationId: id("second") });
    await until(two, id("second"), waitsFor(id("first")));
    await one.stop("SIGKILL");
    held.letGo();
    expect(await end(two, id("second"))).toMatchObject({ state: "OPERATION_STATE_SUCCEEDED", outcome: { version: 1 } });
    expect(await sum(two, "a")).toBe("7");
    await expect.poll(() => readdir(join(dataDir, "staging")), { timeout: 60_000 }).toEqual([two.instanceId]);
  });

  test("is taken over when it is cancelled there, and its wait can be cancelled here", async () => {
    await reading(one, "a", id("first"));
    for (const operationId of [id("second"), id("third")]) {
      await startLoad(two, "a", held.uri, { operationId });
      await until(two, operationId, waitsFor(id("first")));
      if (operationId === id("second")) await call(two, "OperationService/CancelOperation", { id: operationId });
    }
    expect((await end(two, id("second"))).state).toBe("OPERATION_STATE_CANCELLED");
    await call(one, "OperationService/CancelOperation", { id: id("first") });
    held.letGo();
    expect((await end(two, id("third"))).state).toBe("OPERATION_STATE_SUCCEEDED");
    expect(await sum(one, "a")).toBe("7");
  });

  test.each(["there", "here"])("stops for everybody when that is asked for %s", async (where) => {
    await reading(one, "a", id("first"));
    for (const operationId of [id("second"), id("third")]) await startLoad(two, "a", held.uri, { operationId });
    for (const each of [id("second"), id("third")]) await until(two, each, waitsFor(id("first")));
    if (where === "there") await call(one, "OperationService/CancelOperation", { id: id("first"), everybody: true });
    else await call(two, "OperationService/CancelOperation", { id: id("third"), everybody: true });
    expect((await end(one, id("first"))).state).toBe("OPERATION_STATE_CANCELLED");
    for (const each of [id("second"), id("third")])
      expect((await end(two, each)).state).toBe("OPERATION_STATE_CANCELLED");
    expect(await sum(two, "a")).toBe("DATASET_NOT_FOUND");
  });

  test("fails here as it fails there", async () => {
    await using bad = await holdFile("bad.csv", "i,t\n7,x\n1,too,many,fields\n");
    await reading(one, "a", id("first"), bad);
    await startLoad(two, "a", bad.uri, { operationId: id("second") });
    await until(two, id("second"), waitsFor(id("first")));
    bad.letGo();
    const [first, second] = [await end(one, id("first")), await end(two, id("second"))];
    expect(first.state).toBe("OPERATION_STATE_FAILED");
    expect(second).toMatchObject({ state: "OPERATION_STATE_FAILED", error: { message: first.error?.message } });
  });

  test("is the same operation when it is asked for by its id", async () => {
    await reading(one, "a", id("same"));
    await startLoad(two, "a", held.uri, { operationId: id("same") });
    await until(two, id("same"), waitsFor(id("same")));
    held.letGo();
    expect((await end(two, id("same"))).outcome).toMatchObject({ version: 1 });
    expect((await end(one, id("same"))).outcome).toMatchObject({ version: 1 });
    expect(await versionsOnDisk()).toEqual(["1"]);
  });
});
