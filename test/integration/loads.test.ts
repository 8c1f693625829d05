import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connect, type Load } from "../../clients/node/src/index.ts";
import { DatasetService, type WatchLoadResponse } from "../../src/gen/drover/v1/dataset_service_pb.js";
import { DriverService, DriverState } from "../../src/gen/drover/v1/driver_service_pb.js";
import { OperationService, OperationState } from "../../src/gen/drover/v1/operation_service_pb.js";
import { startDriver, type TestDriver } from "../helpers/driver.ts";
import { failure, GrpcClient } from "../helpers/grpc-client.ts";
import { type HeldFile, holdFile } from "../helpers/held-file.ts";

const datasets = DatasetService.method;
const operations = OperationService.method;
let folder: string;
let driver: TestDriver;
let client: GrpcClient;

const HELD_ROWS = 200_000;
const heldCsv = `id,text\n${Array.from({ length: HELD_ROWS }, (_, id) => `${id},some text of row ${id}\n`).join("")}`;
/** A source whose load can't end before it is let go. */
const holdLarge = () => holdFile("held.csv", heldCsv);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "drover-loads-"));
  await writeFile(join(folder, "small.csv"), "a,b\n1,x\n2,y\n");
  await writeFile(join(folder, "ragged.csv"), "a,b\n1,x\nnot a number,y\n3,z\n");
  driver = await startDriver();
  client = new GrpcClient(driver.address, { token: driver.token });
});

afterAll(async () => {
  client[Symbol.dispose]();
  await driver[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** A file that takes seconds to load. */
async function largeFile(): Promise<string> {
  const path = join(folder, "large.csv");
  const stream = createWriteStream(path);
  const line = (row: number) => `${row},${row % 97},some text of row ${row} that takes room,${row / 7},${row * 31}\n`;
  stream.write("id,mod,text,share,product\n");
  for (let row = 0; row < 1_000_000; row += 20_000) {
    const block = Array.from({ length: 20_000 }, (_, index) => line(row + index)).join("");
    if (!stream.write(block)) await once(stream, "drain");
  }
  stream.end();
  await once(stream, "close");
  return path;
}

function load(dataset: string, file: string, more: object = {}) {
  return { dataset, source: { uri: join(folder, file) }, ...more };
}

function watch(operationId: string, of = client): Promise<WatchLoadResponse[]> {
  return of.stream(datasets.watchLoad, { operationId }).toArray();
}

function lastOf(events: readonly WatchLoadResponse[]) {
  const event = events.at(-1)?.event;
  if (event?.case !== "completed") throw new Error(`the last event is ${event?.case}`);
  return event.value;
}

test("a load is watched from accepted to completed, over both stacks, also late", async () => {
  const { response } = await client.unary(datasets.loadDataset, load("small", "small.csv", { operationId: "load-1" }));
  expect(response).toMatchObject({
    joined: false,
    operation: { id: "load-1", dataset: "small", requestedBy: "owner" },
  });
  const events = await watch("load-1");
  expect(events[0]?.event.case).toBe("accepted");
  expect(lastOf(events)).toMatchObject({
    operation: { state: OperationState.SUCCEEDED },
    dataset: { name: "small", version: { number: 1n, rows: 2n } },
  });
  const authorize: Interceptor = (next) => (request) => {
    request.header.set("authorization", `Bearer ${driver.token}`);
    return next(request);
  };
  const transport = createConnectTransport({
    httpVersion: "1.1",
    baseUrl: `http://${driver.address}`,
    interceptors: [authorize],
  });
  const late: WatchLoadResponse[] = [];
  for await (const event of createClient(DatasetService, transport).watchLoad({ operationId: "load-1" }))
    late.push(event);
  expect(lastOf(late).operation?.state).toBe(OperationState.SUCCEEDED);
});

test("the same operation id is the same load, another wish with it is refused", async () => {
  const request = load("again", "small.csv", { operationId: "load-2" });
  await client.unary(datasets.loadDataset, request);
  await watch("load-2");
  const { response } = await client.unary(datasets.loadDataset, request);
  expect(response.operation).toMatchObject({ id: "load-2", state: OperationState.SUCCEEDED });
  const other = load("other", "small.csv", { operationId: "load-2" });
  expect(await failure(client.unary(datasets.loadDataset, other))).toMatchObject({ reason: "OPERATION_EXISTS" });
});

test("rows that are skipped are counted and shown", async () => {
  const options = { badRows: "skip", maxBadRows: 10, types: { a: "BIGINT" } };
  const source = { uri: join(folder, "ragged.csv"), options };
  const { response } = await client.unary(datasets.loadDataset, { dataset: "ragged", source });
  const completed = lastOf(await watch(String(response.operation?.id)));
  expect(completed).toMatchObject({ rejectedRows: 1n, rejectedSamples: [{ line: 3n, column: "a" }] });
});

test("a load that fails carries its reason in the operation", async () => {
  const { response } = await client.unary(datasets.loadDataset, load("missing", "nothing.csv"));
  const { operation } = lastOf(await watch(String(response.operation?.id)));
  expect(operation?.state).toBe(OperationState.FAILED);
  expect(operation?.error?.details[0]?.typeUrl).toBe("type.googleapis.com/google.rpc.ErrorInfo");
  expect(await failure(client.unary(datasets.getDataset, { dataset: "missing" }))).toMatchObject({
    code: 5,
    reason: "DATASET_NOT_FOUND",
  });
});

test("no source may name what belongs to the driver itself, by whatever way", async () => {
  const link = join(folder, "innocent.csv");
  await symlink(join(driver.dataDir, "token"), link);
  const uris = [join(driver.dataDir, "token"), join(driver.dataDir, "catalog.sqlite"), link];
  for (const [index, uri] of uris.entries()) {
    const request = { dataset: "stolen", source: { uri, format: "csv" }, operationId: `steal-${index}` };
    await client.unary(datasets.loadDataset, request);
    const { operation } = lastOf(await watch(`steal-${index}`));
    expect(operation?.error?.message).toContain("belongs to the driver itself");
  }
});

test("a bad name is refused with the field at fault", async () => {
  for (const dataset of ["", "a/b", " a", "a\n", "x".repeat(129)]) {
    const error = await failure(client.unary(datasets.loadDataset, load(dataset, "small.csv")));
    expect(error, dataset).toMatchObject({ reason: "INVALID_REQUEST", fields: expect.arrayContaining(["dataset"]) });
  }
});

test("watching what is no load is refused", async () => {
  expect(await failure(watch("nothing"))).toMatchObject({ code: 5, reason: "OPERATION_NOT_FOUND" });
});

test("datasets, versions and operations are listed by page and label, and deleted", async () => {
  for (const [name, labels] of [
    ["list-a", { team: "x" }],
    ["list-b", { team: "x" }],
    ["list-c", { team: "y" }],
  ] as const) {
    const { response } = await client.unary(datasets.loadDataset, load(name, "small.csv", { labels }));
    await watch(String(response.operation?.id));
  }
  const first = await client.unary(datasets.listDatasets, { pageSize: 1, labels: { team: "x" } });
  const { nextPageToken: pageToken } = first.response;
  const second = await client.unary(datasets.listDatasets, { pageSize: 1, pageToken, labels: { team: "x" } });
  expect([first, second].flatMap(({ response }) => response.datasets.map(({ name }) => name))).toEqual([
    "list-a",
    "list-b",
  ]);
  expect(second.response.nextPageToken).toBe("");
  expect(await failure(client.unary(datasets.listDatasets, { pageToken }))).toMatchObject({
    reason: "INVALID_PAGE_TOKEN",
  });

  const again = await client.unary(datasets.loadDataset, load("list-a", "small.csv"));
  await watch(String(again.response.operation?.id));
  const versions = await client.unary(datasets.listVersions, { dataset: "list-a" });
  expect(versions.response.versions.map(({ number }) => number)).toEqual([2n, 1n]);

  const loads = await client.unary(operations.listOperations, { dataset: "list-a", pageSize: 1 });
  expect(loads.response.operations[0]).toMatchObject({ id: again.response.operation?.id });
  expect(loads.response.nextPageToken).not.toBe("");

  await client.unary(datasets.deleteDataset, { dataset: "list-a" });
  expect(await failure(client.unary(datasets.deleteDataset, { dataset: "list-a" }))).toMatchObject({
    reason: "DATASET_NOT_FOUND",
  });
});

describe("with a file that takes seconds", { timeout: 240_000 }, () => {
  beforeAll(async () => {
    await largeFile();
  });

  /** Settles once the load of a file reads it, or has ended. */
  async function reading(operationId: string, of = client): Promise<void> {
    const reads = async () => {
      const { response } = await of.unary(operations.getOperation, { id: operationId });
      return response.operation?.progress?.phase === "reading" || response.operation?.endTime !== undefined;
    };
    await expect.poll(reads, { timeout: 60_000 }).toBe(true);
  }

  /** Begins a load of a source that is held, and waits until some of it has come. */
  async function held(of: GrpcClient, operationId: string): Promise<HeldFile> {
    const file = await holdLarge();
    await of.unary(datasets.loadDataset, { dataset: "held", source: { uri: file.uri }, operationId });
    const bytes = async () => {
      const { response } = await of.unary(operations.getOperation, { id: operationId });
      return response.operation?.progress?.bytes;
    };
    await expect.poll(bytes, { timeout: 60_000 }).toBeGreaterThan(0n);
    return file;
  }

  /** The attempt answers how its load has ended. One that ended before it was cut short is no answer. */
  async function cutShort(attempt: (operationId: string) => Promise<OperationState | undefined>): Promise<void> {
    let state: OperationState | undefined = OperationState.SUCCEEDED;
    while (state === OperationState.SUCCEEDED) state = await attempt(`cut-${++attempts}`);
    expect(state).toBe(OperationState.CANCELLED);
  }
  let attempts = 0;

  test("a driver that stops cancels the load after the grace period, and leaves nothing behind", async () => {
    await cutShort(async (operationId) => {
      await using stopping = await startDriver({ args: ["--stop-grace", "100ms"] });
      using other = new GrpcClient(stopping.address, { token: stopping.token });
      await other.unary(datasets.loadDataset, load("large", "large.csv", { operationId }));
      await reading(operationId, other);
      const watched = other.stream(datasets.watchLoad, { operationId });
      const events: WatchLoadResponse[] = [];
      for await (const event of watched) {
        if (events.length === 0) stopping.process.kill("SIGTERM");
        events.push(event);
      }
      expect(await stopping.exited).toEqual({ code: 0, signal: null });
      expect(await readdir(join(stopping.dataDir, "staging"))).toEqual([]);
      expect(await readdir(join(stopping.dataDir, "work"))).toEqual([]);
      return lastOf(events).operation?.state;
    });
  });

  /** The signal takes a moment to be noticed. */
  async function refusedOnceStopping(stopping: GrpcClient): Promise<unknown> {
    while ((await stopping.unary(DriverService.method.getDriver, {})).response.state === DriverState.SERVING);
    return failure(stopping.unary(datasets.deleteDataset, { dataset: "x" }));
  }

  test("a driver that stops lets the load finish within the grace period", async () => {
    await using stopping = await startDriver({ args: ["--stop-grace", "2m"] });
    using other = new GrpcClient(stopping.address, { token: stopping.token });
    await using file = await held(other, "finished");
    const watched = other.stream(datasets.watchLoad, { operationId: "finished" });
    const events: WatchLoadResponse[] = [];
    let refused: Promise<unknown> | undefined;
    for await (const event of watched) {
      if (events.length === 0) stopping.process.kill("SIGTERM");
      events.push(event);
      refused ??= refusedOnceStopping(other).finally(file.letGo);
    }
    expect(lastOf(events).operation?.state).toBe(OperationState.SUCCEEDED);
    expect(await refused).toMatchObject({ code: 14 });
    expect(await stopping.exited).toEqual({ code: 0, signal: null });
  });

  test("a cancelled load stops the engine", async () => {
    await cutShort(async (operationId) => {
      await client.unary(datasets.loadDataset, load("large", "large.csv", { operationId }));
      await reading(operationId);
      const { response } = await client.unary(operations.cancelOperation, { id: operationId });
      expect(await workersBusy()).toBe("0");
      return response.operation?.state;
    });
  });

  describe("that twenty app servers ask for", () => {
    async function askedByAll(
      dataset: string,
      uri: string,
    ): Promise<{ clients: AsyncDisposableStack; loads: readonly Load[] }> {
      const clients = new AsyncDisposableStack();
      const source = { uri };
      const ask = async () => {
        const drover = clients.use(await connect({ address: driver.address, token: driver.token }));
        return drover.load(dataset, source);
      };
      return { clients, loads: await Promise.all(Array.from({ length: 20 }, ask)) };
    }

    test("goes on until the last of them has cancelled", async () => {
      await using file = await holdLarge();
      const { clients, loads } = await askedByAll("wanted", file.uri);
      await using _ = clients;
      expect(loads.filter(({ joined }) => !joined)).toHaveLength(1);
      const [last, ...others] = loads.toReversed();
      const states = await Promise.all(others.map(async (load) => (await load.cancel()).state));
      expect(new Set(states)).toEqual(new Set(["cancelled"]));
      await expect(others[0]?.result()).rejects.toMatchObject({ reason: "CANCELLED" });
      file.letGo();
      const result = await last?.result();
      expect(result?.dataset.version).toMatchObject({ number: 1, rows: HELD_ROWS, operationId: last?.operationId });
    });

    test("stops with the last of them, and leaves nothing", async () => {
      await cutShort(async (dataset) => {
        const { clients, loads } = await askedByAll(dataset, join(folder, "large.csv"));
        await using _ = clients;
        await reading(String(loads[0]?.operationId));
        const states: string[] = [];
        for (const load of loads) states.push((await load.cancel()).state);
        expect(await workersBusy()).toBe("0");
        if (states.includes("succeeded")) return OperationState.SUCCEEDED;
        expect(new Set(states)).toEqual(new Set(["cancelled"]));
        expect((await readdir(join(driver.dataDir, "staging"), { recursive: true })).length).toBeLessThanOrEqual(1);
        expect(await failure(client.unary(datasets.getDataset, { dataset }))).toMatchObject({
          reason: "DATASET_NOT_FOUND",
        });
        return OperationState.CANCELLED;
      });
    });

    test("stops for everybody when that is asked for", async () => {
      await using file = await holdLarge();
      const { clients, loads } = await askedByAll("stopped", file.uri);
      await using _ = clients;
      const { response } = await client.unary(operations.cancelOperation, {
        id: String(loads[3]?.operationId),
        everybody: true,
      });
      expect(response).toMatchObject({ operation: { state: OperationState.CANCELLED }, others: 0 });
      for (const load of loads) await expect(load.result()).rejects.toMatchObject({ reason: "CANCELLED" });
      expect(await workersBusy()).toBe("0");
    });
  });

  async function workersBusy(): Promise<string | undefined> {
    const headers = { authorization: `Bearer ${driver.token}` };
    const metrics = await (await fetch(`http://${driver.address}/metrics`, { headers })).text();
    return /drover_workers\{count="busy"\} (\d+)/.exec(metrics)?.[1];
  }

  test("leaving a watched load does not cancel it", async () => {
    await using file = await held(client, "watched");
    const call = client.stream(datasets.watchLoad, { operationId: "watched" });
    await once(call, "data");
    const left = failure(once(call, "end"));
    call.cancel();
    await left;
    file.letGo();
    expect(lastOf(await watch("watched")).operation?.state).toBe(OperationState.SUCCEEDED);
  });
});
