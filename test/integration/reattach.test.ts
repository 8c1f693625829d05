import { toJson } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { OperationService, OperationState } from "../../src/gen/drover/v1/operation_service_pb.js";
import {
  QueryService,
  ResultFormat,
  type RunQueryResponse,
  RunQueryResponseSchema,
} from "../../src/gen/drover/v1/query_service_pb.js";
import { startCutProxy } from "../helpers/cut-proxy.ts";
import { startDriver, type TestDriver } from "../helpers/driver.ts";
import { GrpcClient } from "../helpers/grpc-client.ts";
import { reasonOf } from "../helpers/reasons.ts";
import { PROTOCOLS, type QueryCalls, queryCalls } from "../helpers/reattach.ts";

/** Rows travel in batches of 2,048. */
const SMALL = "SELECT i, 'text ' || i AS t, i / 3 AS f FROM range(10000) t(i)";
/** Never ends by itself within a test. */
const ENDLESS = "SELECT sum(hash(a.i, b.i)) FROM range(10000000) a(i), range(10000000) b(i)";
/** About 80 MB of Arrow. */
const LARGE = "SELECT i, i * 2 AS j FROM range(5000000) t(i)";

let driver: TestDriver;
let client: GrpcClient;
let calls: QueryCalls;
let lastId = 0;

beforeAll(async () => {
  driver = await startDriver({ args: ["--pools-readers-size", "2"] });
  client = new GrpcClient(driver.address, { token: driver.token });
  calls = queryCalls("gRPC", driver);
});

afterAll(async () => {
  calls[Symbol.dispose]();
  client[Symbol.dispose]();
  await driver[Symbol.asyncDispose]();
});

function newId(): string {
  return `query-${++lastId}`;
}

/** Events but progress, until so many have come or the end; then the call is left. */
async function take(stream: AsyncIterable<RunQueryResponse>, count = Number.POSITIVE_INFINITY) {
  const events: RunQueryResponse[] = [];
  if (count === 0) return events;
  for await (const event of stream) {
    if (event.event.case === "progress") expect(event.eventId).toBe(0n);
    else events.push(event);
    if (events.length === count) break;
  }
  return events;
}

async function restOf(iterator: AsyncIterator<unknown>): Promise<void> {
  while (!(await iterator.next()).done);
}

/** What must be the same each time: all but the id, and what the query took. */
function comparable(events: readonly RunQueryResponse[]): unknown[] {
  return events.map((message) => {
    const { event, eventId } = message;
    if (event.case === "accepted") return [Number(eventId), "accepted"];
    if (event.case === "completed") return [Number(eventId), "completed", Number(event.value.rows)];
    return toJson(RunQueryResponseSchema, message);
  });
}

const lastOf = (events: readonly RunQueryResponse[]) => Number(events.at(-1)?.eventId ?? 0n);

async function operation(id: string, of = client) {
  const { response } = await of.unary(OperationService.method.getOperation, { id });
  return response.operation;
}

async function state(id: string, of = client): Promise<OperationState | undefined> {
  return (await operation(id, of))?.state;
}

async function cancel(id: string, of = client): Promise<OperationState | undefined> {
  const { response } = await of.unary(OperationService.method.cancelOperation, { id });
  return response.operation?.state;
}

async function metric(name: string, of = driver): Promise<number> {
  const headers = { authorization: `Bearer ${of.token}` };
  const text = await (await fetch(`http://${of.address}/metrics`, { headers })).text();
  return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1] ?? Number.NaN);
}

describe.each(PROTOCOLS)("over %s", (protocol) => {
  test("a stream that was cut anywhere goes on exactly where it was", async () => {
    using own = queryCalls(protocol, driver);
    const asked = { sql: SMALL, format: ResultFormat.ROWS };
    const whole = comparable(await take(own.run({ ...asked, operationId: newId() })));
    expect(whole).toHaveLength(9);
    for (let cut = 1; cut <= whole.length; cut++) {
      const operationId = newId();
      const before = await take(own.run({ ...asked, operationId }), cut);
      const after = await take(own.watch(operationId, lastOf(before)));
      expect(comparable([...before, ...after])).toEqual(whole);
    }
  });

  test("a query can be read again from any event while it is kept", async () => {
    using own = queryCalls(protocol, driver);
    const operationId = newId();
    const whole = comparable(await take(own.run({ sql: SMALL, operationId })));
    for (let after = 0; after <= whole.length; after++)
      expect(comparable(await take(own.watch(operationId, after)))).toEqual(whole.slice(after));
    expect(comparable(await take(own.run({ sql: SMALL, operationId })))).toEqual(whole);
  });

  test("a second reader takes the query over, and the first learns it", async () => {
    using own = queryCalls(protocol, driver);
    const operationId = newId();
    const first = own.run({ sql: ENDLESS, operationId })[Symbol.asyncIterator]();
    await first.next();
    const ended = reasonOf(restOf(first));
    const second = own.watch(operationId)[Symbol.asyncIterator]();
    expect((await second.next()).value?.event.case).toBe("accepted");
    expect(await ended).toMatchObject({ reason: "CANCELLED", metadata: { takenOver: "true" } });
    expect(await cancel(operationId)).toBe(OperationState.CANCELLED);
    expect((await reasonOf(restOf(second))).reason).toBe("CANCELLED");
  });

  test("what can't be watched is refused with its reason", async () => {
    using own = queryCalls(protocol, driver);
    const operationId = newId();
    const events = await take(own.run({ sql: SMALL, operationId }));
    expect(await reasonOf(take(own.watch(operationId, events.length + 1)))).toMatchObject({
      reason: "INVALID_REQUEST",
    });
    expect(await reasonOf(take(own.watch("never-heard-of")))).toMatchObject({ reason: "OPERATION_NOT_FOUND" });
    expect(await reasonOf(take(own.run({ sql: "SELECT 1", operationId })))).toMatchObject({
      reason: "OPERATION_EXISTS",
    });
    const plain = newId();
    await take(own.run({ sql: SMALL, operationId: plain, reattachable: false }));
    expect(await reasonOf(take(own.watch(plain)))).toMatchObject({ reason: "RESULT_EXPIRED" });
  });

  test("a query that failed says why to whoever comes back", async () => {
    using own = queryCalls(protocol, driver);
    const operationId = newId();
    const failed = await reasonOf(take(own.run({ sql: "SELECT nothing FROM nowhere", operationId })));
    expect(await reasonOf(take(own.watch(operationId, 1)))).toEqual(failed);
  });
});

test("a query is reattachable only if it was asked for so", async () => {
  const operationId = newId();
  const events = await take(calls.run({ sql: SMALL, operationId, reattachable: false }));
  expect(new Set(events.map(({ eventId }) => eventId))).toEqual(new Set([0n]));
  const running = newId();
  const stream = calls.run({ sql: ENDLESS, operationId: running, reattachable: false })[Symbol.asyncIterator]();
  await stream.next();
  expect((await reasonOf(take(calls.watch(running)))).reason).toBe("OPERATION_NOT_FOUND");
  await stream.return?.();
  await expect.poll(() => state(running)).toBe(OperationState.CANCELLED);
});

test("a connection that breaks again and again costs no row", { timeout: 120_000 }, async () => {
  await using proxy = await startCutProxy(driver.address);
  using own = queryCalls("gRPC", { address: proxy.address, token: driver.token });
  const operationId = newId();
  let [rows, at, cuts] = [0, 0, 0];
  for (let ended = false; !ended; ) {
    try {
      const stream = at === 0 ? own.run({ sql: LARGE, operationId }) : own.watch(operationId, at);
      let count = 0;
      for await (const { event, eventId } of stream) {
        if (event.case === "progress") continue;
        expect(Number(eventId)).toBe(++at);
        if (event.case === "completed") [rows, ended] = [Number(event.value.rows), true];
        if (++count === 9 && cuts < 5) {
          cuts++;
          proxy.cut();
        }
      }
    } catch (error) {
      expect((error as { code: number }).code).toBe(14);
    }
  }
  expect(cuts).toBe(5);
  expect(rows).toBe(5_000_000);
  expect(await state(operationId)).toBe(OperationState.SUCCEEDED);
});

describe("a query whose reader is away", { timeout: 120_000 }, () => {
  test("goes on, and its end is there when the reader comes", async () => {
    const operationId = newId();
    await take(calls.run({ sql: "SELECT sum(hash(i)) AS x FROM range(20000000) t(i)", operationId }), 1);
    await expect.poll(() => state(operationId), { timeout: 30_000 }).toBe(OperationState.SUCCEEDED);
    const rest = await take(calls.watch(operationId, 1));
    expect(rest.map(({ event }) => event.case)).toEqual(["frameStart", "frameBatch", "frameEnd", "completed"]);
  });

  test("is cancelled after its time, whatever it does", async () => {
    await using hasty = await startDriver({
      args: [
        "--limits-detached-timeout",
        "300ms",
        "--pools-readers-size",
        "1",
        "--limits-spool-bytes-per-query",
        "4MiB",
      ],
    });
    using other = new GrpcClient(hasty.address, { token: hasty.token });
    using own = queryCalls("gRPC", hasty);
    // One that waits for room in its spool, one that computes, and one that waits for their place.
    for (const sql of [LARGE, ENDLESS]) {
      const [running, waiting] = [newId(), newId()];
      const kept = own.run({ sql, operationId: running })[Symbol.asyncIterator]();
      await kept.next();
      await take(own.run({ sql: SMALL, operationId: waiting }), 1);
      await expect.poll(() => state(waiting, other), { timeout: 30_000 }).toBe(OperationState.CANCELLED);
      expect((await operation(waiting, other))?.startTime).toBeUndefined();
      await kept.return?.();
      await expect.poll(() => state(running, other), { timeout: 30_000 }).toBe(OperationState.CANCELLED);
      expect((await operation(running, other))?.error?.message).toContain("limits.detachedTimeout (300ms)");
      const told = await reasonOf(take(own.watch(running, 1)));
      expect(told).toMatchObject({ reason: "CANCELLED", metadata: { detachedTimeout: "300ms" } });
    }
    const { response } = await other.unary(QueryService.method.query, {
      question: { kind: { case: "sql", value: { sql: "SELECT 7 AS x" } } },
    });
    expect(response.rows).toHaveLength(1);
  });

  test("is bounded by the deadline of the call that began it, and by the driver's own limit", async () => {
    const operationId = newId();
    const stream = calls.run({ sql: ENDLESS, operationId }, { timeoutMs: 6_000 })[Symbol.asyncIterator]();
    await stream.next();
    await stream.return?.();
    await expect.poll(() => state(operationId), { timeout: 30_000 }).toBe(OperationState.CANCELLED);
    expect((await operation(operationId))?.error?.code).toBe(4);
    await using strict = await startDriver({ args: ["--limits-query-timeout", "500ms"] });
    using other = new GrpcClient(strict.address, { token: strict.token });
    using own = queryCalls("json", strict);
    await take(own.run({ sql: ENDLESS, operationId }), 1);
    await expect.poll(() => state(operationId, other), { timeout: 30_000 }).toBe(OperationState.CANCELLED);
    expect((await operation(operationId, other))?.error?.message).toContain("limits.queryTimeout (500ms)");
  });
});

describe("cancel stops a reattachable query at once", { timeout: 120_000 }, () => {
  /** Holds both places of the pool until it is disposed. */
  async function fullPool(): Promise<AsyncDisposable> {
    const ids = [newId(), newId()];
    for (const operationId of ids) await take(calls.run({ sql: ENDLESS, operationId }), 1);
    for (const id of ids) await expect.poll(() => state(id)).toBe(OperationState.RUNNING);
    return {
      [Symbol.asyncDispose]: async () => {
        for (const id of ids) await cancel(id);
      },
    };
  }

  test.each(["waits for its place", "computes", "waits for room in its spool"])(
    "while it %s, with and without a reader",
    async (what) => {
      for (const read of [true, false]) {
        const operationId = newId();
        await using stack = new AsyncDisposableStack();
        if (what === "waits for its place") stack.use(await fullPool());
        const sql = what === "waits for room in its spool" ? LARGE : ENDLESS;
        const stream = calls.run({ sql, operationId })[Symbol.asyncIterator]();
        await stream.next();
        if (what !== "waits for its place") await expect.poll(() => state(operationId)).toBe(OperationState.RUNNING);
        if (!read) await stream.return?.();
        if (sql === LARGE && !read)
          await expect.poll(() => metric("drover_query_spool_bytes"), { timeout: 30_000 }).toBeGreaterThan(14 << 20);
        expect(await cancel(operationId)).toBe(OperationState.CANCELLED);
        if (read) expect((await reasonOf(restOf(stream))).reason).toBe("CANCELLED");
        expect((await reasonOf(take(calls.watch(operationId, 1)))).reason).toBe("CANCELLED");
      }
    },
  );

  test("and changes nothing once it has ended", async () => {
    const operationId = newId();
    const events = await take(calls.run({ sql: SMALL, operationId }));
    expect(await cancel(operationId)).toBe(OperationState.SUCCEEDED);
    expect(comparable(await take(calls.watch(operationId)))).toEqual(comparable(events));
  });
});

describe("what is kept", { timeout: 240_000 }, () => {
  test("is bounded for each query: a slow reader gets all of a larger result, and can't go back further", async () => {
    await using small = await startDriver({ args: ["--limits-spool-bytes-per-query", "3MiB"] });
    using own = queryCalls("gRPC", small);
    const operationId = newId();
    let [at, rows] = [0, 0];
    for await (const { event, eventId } of own.run({ sql: LARGE, operationId })) {
      if (event.case === "progress") continue;
      expect(Number(eventId)).toBe(++at);
      if (at % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 50));
      if (event.case === "completed") rows = Number(event.value.rows);
      expect(await metric("drover_query_spool_bytes", small)).toBeLessThan(5 << 20);
    }
    expect(rows).toBe(5_000_000);
    const error = await reasonOf(take(own.watch(operationId)));
    expect(error.reason).toBe("RESULT_EXPIRED");
    const first = Number(error.metadata.firstEventId);
    expect(first).toBeGreaterThan(at - 10);
    expect((await take(own.watch(operationId, first - 1))).map(({ eventId }) => Number(eventId)).at(-1)).toBe(at);
    expect((await reasonOf(take(own.run({ sql: LARGE, operationId })))).reason).toBe("RESULT_EXPIRED");
    expect(await metric('drover_query_reattachments_total\\{outcome="expired"\\}', small)).toBe(2);
    expect(await metric('drover_query_reattachments_total\\{outcome="resumed"\\}', small)).toBe(1);
  });

  test("is bounded for all queries: the oldest that have ended go first", async () => {
    await using small = await startDriver({ args: ["--limits-spool-bytes", "1MiB"] });
    using own = queryCalls("gRPC", small);
    const ids = Array.from({ length: 6 }, newId);
    // About 320 kB each.
    const sql = "SELECT i, i * 2 AS j FROM range(20000) t(i)";
    for (const operationId of ids) await take(own.run({ sql, operationId }));
    expect(await metric("drover_query_spool_bytes", small)).toBeLessThan(1 << 20);
    const found: (string | undefined)[] = [];
    for (const id of ids) found.push((await reasonOf(take(own.watch(id)))).reason);
    expect(found).toEqual([...Array.from({ length: 3 }, () => "RESULT_EXPIRED"), undefined, undefined, undefined]);
  });

  test("is forgotten after its time", async () => {
    await using forgetful = await startDriver({ args: ["--limits-result-ttl", "200ms"] });
    using own = queryCalls("gRPC", forgetful);
    const operationId = newId();
    await take(own.run({ sql: SMALL, operationId }));
    await expect.poll(() => metric("drover_query_spool_bytes", forgetful)).toBe(0);
    expect((await reasonOf(take(own.watch(operationId)))).reason).toBe("RESULT_EXPIRED");
    expect((await reasonOf(take(own.run({ sql: SMALL, operationId })))).reason).toBe("RESULT_EXPIRED");
    expect((await reasonOf(take(own.run({ sql: "SELECT 1", operationId })))).reason).toBe("OPERATION_EXISTS");
  });

  test("takes little memory beside the result that streams", async () => {
    const before = await metric("drover_process_resident_bytes");
    let [most, batches] = [0, 0];
    // 480 MB of Arrow.
    const sql = "SELECT i, i * 2 AS j FROM range(30000000) t(i)";
    for await (const { event } of calls.run({ sql, operationId: newId() })) {
      if (event.case !== "frameBatch" || ++batches % 20 > 0) continue;
      most = Math.max(most, (await metric("drover_process_resident_bytes")) - before);
      expect(await metric("drover_query_spool_bytes")).toBeLessThanOrEqual(64 << 20);
    }
    expect(batches).toBeGreaterThan(400);
    expect(most).toBeLessThan(200_000_000);
  });
});
