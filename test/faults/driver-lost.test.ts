import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, inject, test } from "vitest";
import { DatasetService } from "../../clients/node/src/gen/drover/v1/dataset_service_pb.js";
import { DriverService } from "../../clients/node/src/gen/drover/v1/driver_service_pb.js";
import {
  type ConnectOptions,
  connect,
  type DriverEvent,
  type Drover,
  DroverError,
  ensureDriver,
  type LoadEvent,
  type QueryBatchEvent,
} from "../../clients/node/src/index.ts";
import { FaultPeer } from "../../clients/node/test/fault-peer.ts";
import { following, PeerFinder } from "../../clients/node/test/peer-finder.ts";
import { askUntilSeen } from "../helpers/ask-until-seen.ts";
import { startCutProxy } from "../helpers/cut-proxy.ts";
import { type DriverOptions, startDriver, type TestDriver } from "../helpers/driver.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";

const rowCount = 200_000;
/** Some megabytes, more than connections buffer. */
const wide = `SELECT i, repeat('x', 100) AS t FROM range(${rowCount}) r(i) ORDER BY i`;
const slow = "SELECT sum(hash(a.i, b.i)) AS x FROM range(30000) a(i), range(3000) b(i)";
const short = "SELECT sum(hash(a.i, b.i)) AS x FROM range(3000) a(i), range(1000) b(i)";
const endless = "SELECT sum(hash(a.i, b.i)) FROM range(10000000) a(i), range(10000000) b(i)";

/** Real drivers on one data directory, one after the other, and a client that follows them. */
async function drivers(options: Pick<DriverOptions, "args"> = {}) {
  const folder = await temporaryFolder();
  const started: TestDriver[] = [];
  const finder = new PeerFinder();
  finder.rejoinable = true;
  const start = async () => {
    const driver = await startDriver({ ...options, dataDir: folder.path });
    started.push(driver);
    finder.places.unshift(driver);
    return driver;
  };
  return {
    folder: folder.path,
    finder,
    start,
    /** The next search starts a driver, as a finder does that may. */
    startWhenSearched: () => {
      const find = finder.find.bind(finder);
      finder.find = async (search) => {
        if (search.start !== false && search.lost !== undefined && started.length === 1) await start();
        return find(search);
      };
    },
    [Symbol.asyncDispose]: async () => {
      for (const driver of started) await driver[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** Reads a query whose rows count up, and holds its events to their order. */
async function countUp(events: AsyncIterable<QueryBatchEvent>, onEvent: (event: QueryBatchEvent) => void = () => {}) {
  const kinds: string[] = [];
  let rows: number[] = [];
  for await (const event of events) {
    if (event.type !== "progress") kinds.push(event.type);
    if (event.type === "frameStart") rows = [];
    if (event.type === "batch") for (const row of event.batch.rows) rows.push(Number(row.i));
    onEvent(event);
  }
  expect(kinds.filter((kind) => kind === "accepted")).toEqual(["accepted"]);
  expect([kinds[0], kinds.at(-1)]).toEqual(["accepted", "completed"]);
  return { rows, kinds };
}

/** What is read of rows that should be 0, 1, 2, …: short, since failures print it. */
const summary = (rows: readonly number[]) => ({
  count: rows.length,
  misplaced: rows.findIndex((row, at) => row !== at),
});
const whole = (count: number) => ({ count, misplaced: -1 });

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function writeNumbers(folder: string, rows: number): Promise<string> {
  const file = join(folder, "numbers.csv");
  const lines = Array.from({ length: rows }, (_, index) => `${index},name ${index},${index % 7}`);
  await writeFile(file, `n,name,x\n${lines.join("\n")}\n`);
  return file;
}

describe("a driver that is killed", () => {
  test("in the middle of a query's rows is followed by the next one, which gives them all", async () => {
    await using env = await drivers();
    const first = await env.start();
    env.startWhenSearched();
    await using drover = await following(env.finder);
    let killed = false;
    const { rows, kinds } = await countUp(drover.sql(wide).stream(), (event) => {
      if (event.type !== "batch" || killed) return;
      killed = true;
      first.process.kill("SIGKILL");
    });
    expect(summary(rows)).toEqual(whole(rowCount));
    expect(kinds.filter((kind) => kind === "frameStart").length).toBe(2);
    expect(drover.instanceId).not.toBe(first.instanceId);
  });

  test("while it computes is followed by the next one for every form of answer", async () => {
    await using env = await drivers();
    const first = await env.start();
    env.startWhenSearched();
    await using drover = await following(env.finder);
    const ask = () =>
      Promise.all([
        drover.sql(slow).rows(),
        drover.sql(slow).frame(),
        drover.sql(slow).table(),
        drover.datasets().next(),
      ]);
    const { answer } = await askUntilSeen(ask, async () => (await drover.driver()).runningOperations > 0);
    first.process.kill("SIGKILL");
    const [rows, frame, table] = await answer;
    expect(frame.rows).toEqual(rows);
    expect(table.numRows).toBe(1);
    expect((await drover.driver()).instanceId).not.toBe(first.instanceId);
    expect(env.finder.searches.length).toBe(1);
  });

  test("under many queries at once is followed for all of them by the one that the client starts", async () => {
    await using folder = await temporaryFolder();
    const program = [process.execPath, join(inject("bundles"), "driver.mjs")];
    await using drover = await ensureDriver({ dataDirectory: folder.path, program });
    const { pid, instanceId } = await drover.driver();
    const ask = () => Promise.all(Array.from({ length: 40 }, () => drover.sql(short).rows()));
    const { answer } = await askUntilSeen(ask, async () => (await drover.driver()).runningOperations > 0);
    process.kill(pid, "SIGKILL");
    expect(new Set((await answer).map((rows) => rows.length))).toEqual(new Set([1]));
    const next = await drover.driver();
    expect(next.instanceId).not.toBe(instanceId);
    await drover.stop({ reason: "the test is over" });
    await expect.poll(() => isAlive(next.pid), { timeout: 20_000 }).toBe(false);
  });

  test("in the middle of a load has it loaded by the next one, under its id", async () => {
    await using env = await drivers();
    const first = await env.start();
    env.startWhenSearched();
    const uri = await writeNumbers(env.folder, 600_000);
    await using drover = await following(env.finder);
    const load = await drover.load("numbers", { uri });
    const events: LoadEvent["type"][] = [];
    let killed = false;
    for await (const event of load) {
      if (event.type !== "progress") events.push(event.type);
      if (event.type === "completed") expect(event.dataset?.version).toMatchObject({ number: 1, rows: 600_000 });
      if (killed) continue;
      killed = true;
      first.process.kill("SIGKILL");
    }
    expect(events).toEqual(["accepted", "completed"]);
    expect((await drover.operation(load.operationId)).state).toBe("succeeded");
    expect(await drover.versions("numbers").next()).toMatchObject({ value: { number: 1 } });
  });

  test("loses no caller past its deadline while no other comes", async () => {
    await using env = await drivers();
    const first = await env.start();
    await using drover = await following(env.finder);
    const query = drover.sql(endless, { timeoutMs: 3_000 }).rows();
    // It may fail before anybody waits for it.
    query.catch(() => {});
    const dataset = drover.dataset("none").catch((error: unknown) => error);
    expect(await dataset).toMatchObject({ reason: "DATASET_NOT_FOUND" });
    first.process.kill("SIGKILL");
    await first.exited;
    const call = drover.dataset("none", { timeoutMs: 500 });
    await expect(call).rejects.toMatchObject({ reason: "DEADLINE_EXCEEDED" });
    await expect(query).rejects.toMatchObject({ reason: "DEADLINE_EXCEEDED" });
  });
});

describe("a driver that drains", () => {
  test("finishes the query that runs, while new calls go to the next one", async () => {
    await using env = await drivers();
    const old = await env.start();
    await using drover = await following(env.finder, { lease: { name: "test" } });
    const events: DriverEvent[] = [];
    const watching = new AbortController();
    const watched = (async () => {
      for await (const event of drover.events({ signal: watching.signal })) events.push(event);
    })().catch((error: { reason: string }) => error.reason);
    await expect.poll(() => events.map(({ type }) => type)).toEqual(["attached"]);
    // What the driver says of itself may be a moment old.
    const leases = async () => (await drover.driver()).leases;
    await expect.poll(leases).toMatchObject([{ clientName: "test", clientPid: process.pid }]);
    const answer = drover.sql(wide).stream();
    await answer.next();
    const ended = await drover.drain({ reason: "test drains", timeoutMs: 60_000 });
    expect(ended).toMatchObject({ runningOperations: 1, deadline: expect.any(Date) });
    await expect.poll(() => events.map(({ type }) => type)).toEqual(["attached", "draining"]);
    expect(events[1]).toMatchObject({ reason: "test drains" });
    const next = await env.start();
    expect((await drover.driver()).instanceId).toBe(next.instanceId);
    const rows: number[] = [];
    for await (const event of answer)
      if (event.type === "batch") for (const row of event.batch.rows) rows.push(Number(row.i));
    expect(summary(rows)).toEqual(whole(rowCount));
    expect(await old.exited).toMatchObject({ code: 0 });
    // The lease follows.
    await expect.poll(() => events.at(-1)).toEqual({ type: "attached", instanceId: next.instanceId });
    await expect.poll(leases).toHaveLength(1);
    watching.abort();
    expect(await watched).toBe("CANCELLED");
  });

  test("has its rest run by the next one when its time is over", async () => {
    await using env = await drivers();
    const old = await env.start();
    env.startWhenSearched();
    await using drover = await following(env.finder);
    const { answer } = await askUntilSeen(
      () => drover.sql(slow).rows(),
      async () => (await drover.driver()).runningOperations === 1,
    );
    await drover.drain({ timeoutMs: 0 });
    expect((await answer).length).toBe(1);
    await old.exited;
    expect((await drover.driver()).instanceId).not.toBe(old.instanceId);
  });
});

describe("a connection that is cut", () => {
  const small = "SELECT i FROM range(3) r(i) ORDER BY i";
  const medium = "SELECT i, repeat('x', 100) AS t FROM range(20000) r(i) ORDER BY i";

  test("at any event of a query's stream costs no row, and repeats none", async () => {
    await using env = await drivers();
    const driver = await env.start();
    await using proxy = await startCutProxy(driver.address);
    const client = (): Promise<Drover> => {
      const finder = new PeerFinder({ address: proxy.address, token: driver.token });
      finder.rejoinable = true;
      return following(finder);
    };
    for (const [sql, expected] of [
      [small, 3],
      [medium, 20_000],
    ] as const) {
      let count = 1;
      for (let index = 0; index < count; index++) {
        await using drover = await client();
        let seen = 0;
        const { rows, kinds } = await countUp(drover.sql(sql).stream(), (event) => {
          if (event.type !== "progress" && seen++ === index) proxy.cut();
        });
        expect(summary(rows)).toEqual(whole(expected));
        expect(kinds.filter((kind) => kind === "frameStart").length).toBe(1);
        count = kinds.length;
      }
      expect(count).toBeGreaterThan(4);
    }
  });

  test("costs a lease only until it is attached again", async () => {
    await using env = await drivers();
    const driver = await env.start();
    await using proxy = await startCutProxy(driver.address);
    const finder = new PeerFinder({ address: proxy.address, token: driver.token });
    finder.rejoinable = true;
    // The same driver serves on: it is the next one too.
    const find = finder.find.bind(finder);
    finder.find = ({ signal, start }) => find({ signal, start });
    await using drover = await following(finder, { lease: { name: "cut" } });
    const events = drover.events();
    const attached = { done: false, value: { type: "attached", instanceId: driver.instanceId } };
    expect(await events.next()).toEqual(attached);
    proxy.cut();
    expect(await events.next()).toEqual(attached);
    await expect.poll(async () => (await drover.driver()).leases.length).toBe(1);
    await events.return();
  });
});

test("events of the driver reach those who are attached", async () => {
  await using env = await drivers();
  await env.start();
  const uri = await writeNumbers(env.folder, 10);
  await using drover = await following(env.finder, { lease: false });
  const seen: DriverEvent[] = [];
  const controller = new AbortController();
  const reading = (async () => {
    for await (const event of drover.events({ signal: controller.signal })) seen.push(event);
  })().catch(() => {});
  await expect.poll(() => seen.length).toBe(1);
  await (await drover.load("numbers", { uri })).result();
  await drover.deleteDataset("numbers");
  await expect
    // It may have been in memory by then, and left it.
    .poll(() => seen.slice(1).filter(({ type }) => type !== "datasetEvicted"))
    .toEqual([
      { type: "datasetPublished", dataset: "numbers", version: 1 },
      { type: "datasetDropped", dataset: "numbers" },
    ]);
  controller.abort();
  await reading;
  // Leaving gave the lease back.
  await expect.poll(async () => (await drover.driver()).leases).toEqual([]);
});

describe("what listens at a driver's address after its end", () => {
  test.each([
    ["that goes to one address", connect],
    ["that follows", (options: ConnectOptions) => ensureDriver({ ...options, lease: false })],
  ])("is not shown the token by a client %s", async (_name, client) => {
    const driver = await startDriver();
    await using drover = await client({ address: driver.address, token: driver.token });
    await expect(drover.dataset("none")).rejects.toMatchObject({ reason: "DATASET_NOT_FOUND" });
    await driver[Symbol.asyncDispose]();
    const shown: unknown[] = [];
    const calls: string[] = [];
    await using _impostor = await new FaultPeer()
      .unary(DriverService.method.proveIdentity, (_request, call) => {
        calls.push("proveIdentity");
        shown.push(...call.metadata.get("authorization"));
        return { instanceId: driver.instanceId, address: driver.address, proof: Buffer.alloc(32) };
      })
      .unary(DatasetService.method.getDataset, (_request, call) => {
        calls.push("getDataset");
        shown.push(...call.metadata.get("authorization"));
        return { dataset: { name: "none" } };
      })
      .listen(driver.address);
    // A call's time may be over before it has reached anybody.
    await expect
      .poll(async () => {
        await expect(drover.dataset("none", { timeoutMs: 3_000 })).rejects.toBeInstanceOf(DroverError);
        return new Set(calls);
      })
      .toEqual(new Set(["proveIdentity"]));
    expect(shown).toEqual([]);
  });
});
