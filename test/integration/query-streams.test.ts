import { setTimeout as delay } from "node:timers/promises";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { tableFromIPC } from "apache-arrow";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { OperationService, OperationState } from "../../src/gen/drover/v1/operation_service_pb.js";
import { QueryService, ResultFormat, type RunQueryResponse } from "../../src/gen/drover/v1/query_service_pb.js";
import { ErrorInfoSchema } from "../../src/gen/google/rpc/error_details_pb.js";
import { askUntilSeen } from "../helpers/ask-until-seen.ts";
import { startCutProxy } from "../helpers/cut-proxy.ts";
import { startDriver, type TestDriver } from "../helpers/driver.ts";
import { explain, failure, GrpcClient } from "../helpers/grpc-client.ts";

const { runQuery, query } = QueryService.method;
/** Never ends by itself within a test. */
const ENDLESS = "SELECT sum(hash(a.i, b.i)) FROM range(10000000) a(i), range(10000000) b(i)";
/** About 80 MB of Arrow. */
const LARGE = "SELECT i, i * 2 AS j FROM range(5000000) t(i)";

let driver: TestDriver;
let client: GrpcClient;

beforeAll(async () => {
  // A slow reader is to stay slow for as long as its test takes.
  driver = await startDriver({ args: ["--log-level", "debug", "--limits-reader-timeout", "10m"] });
  client = new GrpcClient(driver.address, { token: driver.token });
});

afterAll(async () => {
  client[Symbol.dispose]();
  await driver[Symbol.asyncDispose]();
});

function sql(text: string) {
  return { question: { kind: { case: "sql" as const, value: { sql: text } } } };
}

function transports(of: TestDriver) {
  const authorize: Interceptor = (next) => (request) => {
    request.header.set("authorization", `Bearer ${of.token}`);
    return next(request);
  };
  const options = { httpVersion: "1.1" as const, baseUrl: `http://${of.address}`, interceptors: [authorize] };
  return {
    json: createConnectTransport({ ...options, useBinaryFormat: false }),
    grpcWeb: createGrpcWebTransport(options),
  };
}

async function metric(name: string, of = driver): Promise<number> {
  const headers = { authorization: `Bearer ${of.token}` };
  const text = await (await fetch(`http://${of.address}/metrics`, { headers })).text();
  return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1] ?? Number.NaN);
}

const readerIdle = () => metric('drover_engine_active\\{engine="reader"\\}');

async function collect(stream: AsyncIterable<RunQueryResponse>): Promise<RunQueryResponse[]> {
  const events: RunQueryResponse[] = [];
  for await (const event of stream) events.push(event);
  return events;
}

function kinds(events: readonly RunQueryResponse[]): (string | undefined)[] {
  return events.map(({ event }) => event.case).filter((kind) => kind !== "progress");
}

function rowsOf(events: readonly RunQueryResponse[]) {
  return events.flatMap(({ event }) => (event.case === "frameBatch" ? event.value.rows : []));
}

function arrowOf(events: readonly RunQueryResponse[]) {
  const parts = events.flatMap(({ event }) =>
    event.case === "frameStart" ? [event.value.arrowSchema] : event.case === "frameBatch" ? [event.value.arrow] : [],
  );
  return tableFromIPC(Buffer.concat([...parts, Buffer.from([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0])]));
}

describe("a query's stream", () => {
  test("over gRPC goes from accepted to completed, with Arrow in between", async () => {
    const events = await client.stream(runQuery, sql("SELECT i, 'x' || i AS t FROM range(3) t(i)")).toArray();
    expect(kinds(events)).toEqual(["accepted", "frameStart", "frameBatch", "frameEnd", "completed"]);
    const table = arrowOf(events);
    expect(table.toArray().map(({ i, t }) => [i, t])).toEqual([
      [0n, "x0"],
      [1n, "x1"],
      [2n, "x2"],
    ]);
  });

  test("over gRPC-Web carries Arrow, over JSON rows", async () => {
    const { json, grpcWeb } = transports(driver);
    const events = await collect(createClient(QueryService, grpcWeb).runQuery(sql("SELECT 7 AS x")));
    expect(
      arrowOf(events)
        .toArray()
        .map(({ x }) => x),
    ).toEqual([7]);
    const rows = await collect(createClient(QueryService, json).runQuery(sql("SELECT 7 AS x, 'é' AS t")));
    expect(rowsOf(rows)[0]?.values.map(({ kind }) => kind.value)).toEqual([7, "é"]);
  });

  test("carries a large result in batches of at most 1 MiB", async () => {
    let [rows, bytes, largest] = [0, 0, 0];
    for await (const { event } of client.stream(runQuery, sql(LARGE))) {
      if (event.case === "frameBatch") {
        bytes += event.value.arrow.length;
        largest = Math.max(largest, event.value.arrow.length);
      }
      if (event.case === "completed") rows = Number(event.value.rows);
    }
    expect(rows).toBe(5_000_000);
    expect(bytes).toBeGreaterThan(80_000_000);
    expect(largest).toBeLessThanOrEqual(2 ** 20);
  });

  test("carries rows over gRPC when asked", async () => {
    const call = client.stream(runQuery, { ...sql("SELECT 7 AS x"), format: ResultFormat.ROWS });
    const events = await call.toArray();
    expect(rowsOf(events)).toHaveLength(1);
  });

  test("fails with the field at fault", async () => {
    const aggregate = { dataset: "nothing", measures: [{ op: 3, column: "x" }], filter: { kind: { case: undefined } } };
    const error = await failure(
      client.stream(runQuery, { question: { kind: { case: "aggregate", value: aggregate } } }).toArray(),
    );
    expect(error).toMatchObject({ code: 3, reason: "INVALID_REQUEST", fields: ["question.aggregate.filter.kind"] });
  });
});

/** Long enough that queries are seen to run before it passes, if not always at once. */
const DEADLINE_MS = 5_000;

describe("a query stops", { timeout: 120_000 }, () => {
  async function running(start: () => AsyncIterable<RunQueryResponse>): Promise<{ ended: Promise<void> }> {
    const events = start()[Symbol.asyncIterator]();
    const first = await events.next();
    expect(first.value?.event.case).toBe("accepted");
    await expect.poll(readerIdle, { timeout: 30_000 }).toBe(1);
    return {
      ended: (async () => {
        while (!(await events.next()).done);
      })(),
    };
  }

  async function expectIdle(): Promise<void> {
    await expect.poll(readerIdle, { timeout: 30_000 }).toBe(0);
    await expect.poll(() => metric("drover_rpc_in_flight"), { timeout: 30_000 }).toBe(0);
    await expect.poll(() => metric('drover_pool_running\\{pool="readers"\\}')).toBe(0);
  }

  test("when the gRPC client leaves", async () => {
    const call = client.stream(runQuery, sql(ENDLESS));
    const { ended } = await running(() => call);
    call.cancel();
    expect((await failure(ended)).code).toBe(1);
    await expectIdle();
  });

  test("when the gRPC client's connection breaks", async () => {
    await using proxy = await startCutProxy(driver.address);
    using other = new GrpcClient(proxy.address, { token: driver.token });
    const { ended } = await running(() => other.stream(runQuery, sql(ENDLESS)));
    proxy.cut();
    expect((await failure(ended)).code).toBe(14);
    await expectIdle();
  });

  test.each(["json", "grpcWeb"] as const)("when the %s client leaves", async (name) => {
    const abort = new AbortController();
    const queries = createClient(QueryService, transports(driver)[name]);
    const { ended } = await running(() => queries.runQuery(sql(ENDLESS), { signal: abort.signal }));
    abort.abort();
    await expect(ended).rejects.toThrow();
    await expectIdle();
  });

  test("when its client's deadline passes, over every protocol", async () => {
    const { json, grpcWeb } = transports(driver);
    const overConnect = (transport: Transport) =>
      createClient(QueryService, transport).runQuery(sql(ENDLESS), { timeoutMs: DEADLINE_MS });
    const overGrpc = () => client.stream(runQuery, sql(ENDLESS), { deadline: Date.now() + DEADLINE_MS });
    const codeOf = (call: AsyncIterable<RunQueryResponse>) =>
      collect(call).then(
        () => "completed",
        (error: { readonly code: unknown }) => error.code,
      );
    const { answer } = await askUntilSeen(
      () => Promise.all([overConnect(json), overConnect(grpcWeb), overGrpc()].map(codeOf)),
      async () => (await readerIdle()) === 3,
    );
    expect(await answer).toEqual([4, 4, 4]);
    await expectIdle();
  });

  test("when somebody cancels its operation", async () => {
    const call = client.stream(runQuery, { ...sql(ENDLESS), operationId: "to-be-cancelled" });
    const { ended } = await running(() => call);
    const cancelled = client.unary(OperationService.method.cancelOperation, { id: "to-be-cancelled" });
    expect(await failure(ended)).toMatchObject({ code: 1, reason: "CANCELLED" });
    expect((await cancelled).response.operation?.state).toBe(OperationState.CANCELLED);
    await expectIdle();
  });

  test("when a unary call's client leaves", async () => {
    const abort = new AbortController();
    const asked = createClient(QueryService, transports(driver).json).query(sql(ENDLESS), { signal: abort.signal });
    await expect.poll(readerIdle, { timeout: 30_000 }).toBe(1);
    abort.abort();
    await expect(asked).rejects.toThrow();
    await expectIdle();
  });

  test("when a unary call's deadline passes", async () => {
    const error = await failure(client.unary(query, sql(ENDLESS), { deadline: Date.now() + 1_000 }));
    expect(error.code).toBe(4);
    await expectIdle();
  });

  test("when it takes longer than the driver allows", async () => {
    await using strict = await startDriver({ args: ["--limits-query-timeout", "500ms"] });
    using other = new GrpcClient(strict.address, { token: strict.token });
    expect(await failure(other.unary(query, sql(ENDLESS)))).toMatchObject({ code: 4, reason: "DEADLINE_EXCEEDED" });
  });
});

describe("a slow reader", { timeout: 240_000 }, () => {
  test("slows only itself, and holds little memory", async () => {
    const before = await metric("drover_process_resident_bytes");
    const call = client.stream(runQuery, sql("SELECT i, i * 2 AS j FROM range(30000000) t(i)"));
    let seen = 0;
    call.on("data", () => {
      seen++;
      if (seen === 3) call.pause();
    });
    call.on("error", (error) => expect(explain(error).code).toBe(1));
    await expect.poll(() => seen, { timeout: 30_000 }).toBeGreaterThanOrEqual(3);
    using other = new GrpcClient(driver.address, { token: driver.token });
    // The result is 480 MB; without back-pressure most of it would be made in this time.
    for (let round = 0; round < 20; round++) {
      await other.unary(query, sql("SELECT sum(hash(i)) FROM range(5000000) t(i)"));
      expect((await metric("drover_process_resident_bytes")) - before).toBeLessThan(200_000_000);
    }
    await expect.poll(readerIdle).toBe(1);
    call.cancel();
    await expect.poll(readerIdle, { timeout: 30_000 }).toBe(0);
  });

  test("over HTTP/1.1 as well", async () => {
    const before = await metric("drover_process_resident_bytes");
    const abort = new AbortController();
    const stream = createClient(QueryService, transports(driver).grpcWeb).runQuery(
      sql("SELECT i, i * 2 AS j FROM range(30000000) t(i)"),
      { signal: abort.signal },
    );
    const events = stream[Symbol.asyncIterator]();
    for (let count = 0; count < 3; count++) await events.next();
    using other = new GrpcClient(driver.address, { token: driver.token });
    for (let round = 0; round < 20; round++) {
      await other.unary(query, sql("SELECT sum(hash(i)) FROM range(5000000) t(i)"));
      expect((await metric("drover_process_resident_bytes")) - before).toBeLessThan(200_000_000);
    }
    abort.abort();
    await expect.poll(readerIdle, { timeout: 30_000 }).toBe(0);
  });
});

// Each with a driver of its own.
describe.concurrent("readers that stall", { timeout: 120_000 }, () => {
  test.for(["gRPC", "grpcWeb"] as const)(
    "over %s lose their place in the pool, and learn it when they read on",
    async (name, { expect }) => {
      await using strict = await startDriver({
        args: ["--limits-reader-timeout", "300ms", "--pools-readers-size", "1"],
      });
      using other = new GrpcClient(strict.address, { token: strict.token });
      const stream =
        name === "gRPC"
          ? other.stream(runQuery, sql(LARGE))
          : createClient(QueryService, transports(strict).grpcWeb).runQuery(sql(LARGE));
      const events = stream[Symbol.asyncIterator]();
      await events.next();
      const { response } = await other.unary(query, sql("SELECT 7 AS x"));
      expect(response.rows).toHaveLength(1);
      const readOn = async () => {
        while (!(await events.next()).done);
      };
      await expect(readOn()).rejects.toMatchObject({ code: 10 });
      const { response: listed } = await other.unary(OperationService.method.listOperations, { states: [6] });
      const [info] = listed.operations[0]?.error?.details ?? [];
      expect(info && anyUnpack(info, ErrorInfoSchema)?.reason).toBe("READER_TOO_SLOW");
    },
  );

  test("do not count as such while they read now and then", async ({ expect }) => {
    await using strict = await startDriver({ args: ["--limits-reader-timeout", "6s"] });
    using other = new GrpcClient(strict.address, { token: strict.token });
    const call = other.stream(runQuery, sql("SELECT i, i * 2 AS j FROM range(200000) t(i)"));
    const seen: RunQueryResponse[] = [];
    for await (const event of call) {
      seen.push(event);
      await delay(1_000);
    }
    expect(kinds(seen).at(-1)).toBe("completed");
  });
});

describe.concurrent("a driver that stops", { timeout: 120_000 }, () => {
  test("lets a query finish within the grace period and refuses new ones", async ({ expect }) => {
    await using stopping = await startDriver({ args: ["--stop-grace", "60s"] });
    using other = new GrpcClient(stopping.address, { token: stopping.token });
    const call = other.stream(runQuery, sql("SELECT sum(hash(i)) FROM range(300000000) t(i)"));
    const events: RunQueryResponse[] = [];
    for await (const event of call) {
      if (events.length === 0) stopping.process.kill("SIGTERM");
      events.push(event);
    }
    expect(kinds(events).at(-1)).toBe("completed");
    expect(await stopping.exited).toEqual({ code: 0, signal: null });
  });

  test("cancels a query that takes longer, says so, and ends well", async ({ expect }) => {
    await using stopping = await startDriver({ args: ["--stop-grace", "200ms"] });
    using other = new GrpcClient(stopping.address, { token: stopping.token });
    const call = other.stream(runQuery, sql(ENDLESS));
    const ended = (async () => {
      for await (const { event } of call) if (event.case === "accepted") stopping.process.kill("SIGTERM");
    })();
    expect(await failure(ended)).toMatchObject({ code: 14, reason: "DRIVER_STOPPED" });
    expect(await stopping.exited).toEqual({ code: 0, signal: null });
  });
});
