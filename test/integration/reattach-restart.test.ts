import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { DatasetService } from "../../src/gen/drover/v1/dataset_service_pb.js";
import { DriverService } from "../../src/gen/drover/v1/driver_service_pb.js";
import { OperationService, OperationState } from "../../src/gen/drover/v1/operation_service_pb.js";
import type { RunQueryResponse } from "../../src/gen/drover/v1/query_service_pb.js";
import { type DriverOptions, startDriver, type TestDriver } from "../helpers/driver.ts";
import { GrpcClient } from "../helpers/grpc-client.ts";
import { holdFile } from "../helpers/held-file.ts";
import { reasonOf } from "../helpers/reasons.ts";
import { queryCalls } from "../helpers/reattach.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";

const SMALL = "SELECT i, 'text ' || i AS t FROM range(10000) t(i)";
const ENDLESS = "SELECT sum(hash(a.i, b.i)) FROM range(10000000) a(i), range(10000000) b(i)";
/** Far more than is kept or sent while nobody reads, so that it never ends before somebody does. */
const UNREAD = "SELECT i, i * 2 AS j FROM range(3000000) t(i)";
/** Some seconds. */
const LONG = "SELECT sum(hash(i)) AS x FROM range(100000000) t(i)";

interface Opened extends AsyncDisposable {
  readonly driver: TestDriver;
  readonly client: GrpcClient;
  readonly calls: ReturnType<typeof queryCalls>;
}

async function openDriver(options: DriverOptions): Promise<Opened> {
  const driver = await startDriver(options);
  const client = new GrpcClient(driver.address, { token: driver.token });
  const calls = queryCalls("gRPC", driver);
  return {
    driver,
    client,
    calls,
    [Symbol.asyncDispose]: async () => {
      calls[Symbol.dispose]();
      client[Symbol.dispose]();
      await driver[Symbol.asyncDispose]();
    },
  };
}

async function take(stream: AsyncIterable<RunQueryResponse>, count = Number.POSITIVE_INFINITY) {
  const events: RunQueryResponse[] = [];
  for await (const event of stream) {
    if (event.event.case !== "progress") events.push(event);
    if (events.length === count) break;
  }
  return events;
}

const kinds = (events: readonly RunQueryResponse[]) => events.map(({ event }) => event.case);

async function operation({ client }: Opened, id: string) {
  const { response } = await client.unary(OperationService.method.getOperation, { id });
  return response.operation;
}

async function versions({ client }: Opened, dataset: string): Promise<number> {
  const { response } = await client.unary(DatasetService.method.listVersions, { dataset });
  return response.versions.length;
}

/** Whether a later process will know of an operation. */
function inHistory(dataDir: string, id: string): boolean {
  using catalog = new DatabaseSync(join(dataDir, "catalog.sqlite"), { readOnly: true, timeout: 5_000 });
  return catalog.prepare("SELECT 1 FROM operations WHERE id = ?").get(id) !== undefined;
}

const UNFINISHED = [OperationState.PENDING, OperationState.RUNNING];

describe("after the driver was killed, a query runs again under its id", { timeout: 120_000 }, () => {
  test.each(["while it waited", "while it ran", "while its reader was away", "after it had ended"])(
    "%s",
    async (when) => {
      await using folder = await temporaryFolder();
      const args = ["--pools-readers-size", "1"];
      const sql = when === "after it had ended" ? SMALL : UNREAD;
      await using first = await openDriver({ dataDir: folder.path, args });
      const { calls, driver } = first;
      if (when === "while it waited") await take(calls.run({ sql: ENDLESS, operationId: "in-the-way" }), 1);
      const stream = calls.run({ sql, operationId: "q" })[Symbol.asyncIterator]();
      await stream.next();
      if (when === "while its reader was away") await stream.return?.();
      if (when === "after it had ended") while (!(await stream.next()).done);
      const { state } = (await operation(first, "q")) ?? {};
      expect(when === "after it had ended" ? [OperationState.SUCCEEDED] : UNFINISHED).toContain(state);
      // The history is written a little later: sometimes it knows the query, sometimes it does not.
      if (when !== "while it ran") await delay(500);
      await driver.stop("SIGKILL");
      const whole = ["--limits-spool-bytes", "128MiB", "--limits-spool-bytes-per-query", "128MiB"];
      await using next = await openDriver({ dataDir: folder.path, args: [...args, ...whole] });
      const watched = await reasonOf(take(next.calls.watch("q", 1)));
      expect(["RESULT_EXPIRED", "OPERATION_NOT_FOUND"]).toContain(watched.reason);
      for (const attempt of ["at once", "attached to the one before"]) {
        const events = await take(next.calls.run({ sql, operationId: "q" }));
        expect([attempt, kinds(events).at(-1), Number(events.at(-1)?.eventId)]).toEqual([
          attempt,
          "completed",
          events.length,
        ]);
      }
      expect(await operation(next, "q")).toMatchObject({ state: OperationState.SUCCEEDED });
      const other = await reasonOf(take(next.calls.run({ sql: "SELECT 1", operationId: "q" })));
      expect(other.reason).toBe("OPERATION_EXISTS");
    },
  );

  test("but not for another question, once the history is read", async () => {
    await using folder = await temporaryFolder();
    const first = await openDriver({ dataDir: folder.path });
    await take(first.calls.run({ sql: ENDLESS, operationId: "q" }), 1);
    await expect.poll(() => inHistory(folder.path, "q")).toBe(true);
    await first.driver.stop("SIGKILL");
    await first[Symbol.asyncDispose]();
    await using next = await openDriver({ dataDir: folder.path });
    await expect.poll(async () => (await operation(next, "q").catch(() => undefined))?.state).toBe(OperationState.LOST);
    const other = await reasonOf(take(next.calls.run({ sql: "SELECT 1", operationId: "q" })));
    expect(other.reason).toBe("OPERATION_EXISTS");
  });
});

describe("a driver that drains", () => {
  test("lets readers come back to what runs, refuses new queries, and ends when they have all they asked for", async () => {
    await using draining = await openDriver({});
    const { calls, client, driver } = draining;
    await take(calls.run({ sql: LONG, operationId: "q" }), 1);
    await client.unary(DriverService.method.drain, { reason: "a test" });
    expect((await reasonOf(take(calls.run({ sql: SMALL, operationId: "new" })))).reason).toBe("NOT_SERVING");
    const rest = await take(calls.watch("q", 1));
    expect(kinds(rest)).toEqual(["frameStart", "frameBatch", "frameEnd", "completed"]);
    expect(await driver.exited).toEqual({ code: 0, signal: null });
  });

  test("waits for the reader of a query that has ended meanwhile", async () => {
    await using draining = await openDriver({});
    const { calls, client, driver } = draining;
    await take(calls.run({ sql: SMALL, operationId: "q" }), 1);
    await expect.poll(async () => (await operation(draining, "q"))?.state).toBe(OperationState.SUCCEEDED);
    await client.unary(DriverService.method.drain, { reason: "a test" });
    await delay(500);
    expect(kinds(await take(calls.watch("q", 1))).at(-1)).toBe("completed");
    expect(await driver.exited).toEqual({ code: 0, signal: null });
  });

  test("waits for a reader no longer than a query goes on without one", async () => {
    await using draining = await openDriver({ args: ["--limits-detached-timeout", "1s"] });
    const { calls, client, driver } = draining;
    await take(calls.run({ sql: ENDLESS, operationId: "endless" }), 1);
    await take(calls.run({ sql: SMALL, operationId: "ended" }), 1);
    await client.unary(DriverService.method.drain, { reason: "a test" });
    expect(await driver.exited).toEqual({ code: 0, signal: null });
  });
});

async function load({ client }: Opened, uri: string, operationId: string) {
  const { response } = await client.unary(DatasetService.method.loadDataset, {
    dataset: "large",
    source: { uri },
    operationId,
  });
  return response.operation;
}

/** The state at its end. */
async function loaded({ client }: Opened, operationId: string): Promise<OperationState | undefined> {
  for await (const { event } of client.stream(DatasetService.method.watchLoad, { operationId }))
    if (event.case === "completed") return event.value.operation?.state;
  return undefined;
}

describe("a load that its driver's end has cut short", { timeout: 240_000 }, () => {
  test.each([
    ["killed", OperationState.LOST],
    ["stopped", OperationState.CANCELLED],
  ])("runs again under its id after the driver was %s, and once only", async (how, left) => {
    await using folder = await temporaryFolder();
    const options = { dataDir: join(folder.path, "data"), args: ["--stop-grace", "100ms"] };
    await using file = await holdFile("large.csv", `id,name\n${"1,name\n".repeat(300_000)}`);
    const { uri } = file;
    {
      await using first = await openDriver(options);
      await load(first, uri, "l");
      await expect.poll(async () => (await operation(first, "l"))?.progress?.bytes).toBeGreaterThan(0n);
      await expect.poll(() => inHistory(options.dataDir, "l")).toBe(true);
      await first.driver.stop(how === "killed" ? "SIGKILL" : "SIGTERM");
    }
    {
      await using next = await openDriver(options);
      // At once: the history may not have been read yet.
      expect((await operation(next, "l"))?.state).toBe(left);
      const started = await load(next, uri, "l");
      expect(UNFINISHED).toContain(started?.state);
      expect((await load(next, uri, "l"))?.id).toBe("l");
      file.letGo();
      expect(await loaded(next, "l")).toBe(OperationState.SUCCEEDED);
      expect((await operation(next, "l"))?.error).toBeUndefined();
      await next.driver.stop();
    }
    await using last = await openDriver(options);
    expect((await load(last, uri, "l"))?.state).toBe(OperationState.SUCCEEDED);
    expect(await loaded(last, "l")).toBe(OperationState.SUCCEEDED);
    const other = await reasonOf(
      last.client.unary(DatasetService.method.loadDataset, { dataset: "other", source: { uri }, operationId: "l" }),
    );
    expect(other.reason).toBe("OPERATION_EXISTS");
    expect(await versions(last, "large")).toBe(1);
  });
});
