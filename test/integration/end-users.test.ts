import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { OperationService, OperationState } from "../../src/gen/drover/v1/operation_service_pb.js";
import { QueryService } from "../../src/gen/drover/v1/query_service_pb.js";
import { Health } from "../../src/gen/grpc/health/v1/health_pb.js";
import { startDriver, type TestDriver } from "../helpers/driver.ts";
import { failure, GrpcClient } from "../helpers/grpc-client.ts";

const { query, runQuery } = QueryService.method;
/** Takes much longer than the millisecond by which starts are told apart. */
const SLOW = "SELECT sum(hash(i)) AS s FROM range(5000000) t(i)";
const PATIENT = { timeout: 30_000 };

let driver: TestDriver;
let client: GrpcClient;

beforeAll(async () => {
  driver = await startDriver({ args: ["--pools-readers-size", "1", "--log-level", "debug"] });
  client = new GrpcClient(driver.address, { token: driver.token });
});

afterAll(async () => {
  client[Symbol.dispose]();
  await driver[Symbol.asyncDispose]();
});

function sql(text: string) {
  return { question: { kind: { case: "sql" as const, value: { sql: text } } } };
}

async function operation(id: string) {
  const { response } = await client.unary(OperationService.method.getOperation, { id });
  return response.operation;
}

async function post(operationId: string, headers: Record<string, string>): Promise<Response> {
  return fetch(`http://${driver.address}/drover.v1.QueryService/Query`, {
    method: "POST",
    headers: { authorization: `Bearer ${driver.token}`, "content-type": "application/json", ...headers },
    body: JSON.stringify({ question: { sql: { sql: "SELECT 1 AS x" } }, operationId }),
  });
}

describe("whoever an app server calls for", () => {
  test("is named by the operation and in the log, by gRPC and by JSON", async () => {
    const headers = { "drover-end-user": "ann@example.com" };
    await client.unary(query, { ...sql("SELECT 1 AS x"), operationId: "by-grpc" }, { headers });
    expect((await post("by-json", headers)).status).toBe(200);
    for (const id of ["by-grpc", "by-json"]) {
      expect(await operation(id)).toMatchObject({ requestedBy: "ann@example.com" });
    }
    const lines = () =>
      driver
        .log()
        .split("\n")
        .filter((line) => line.includes('"endUser":"ann@example.com"'));
    await expect.poll(lines, PATIENT).toHaveLength(2);
  });

  test("is the token's owner if it does not say", async () => {
    await client.unary(query, { ...sql("SELECT 1 AS x"), operationId: "unnamed" });
    expect(await operation("unnamed")).toMatchObject({ requestedBy: "owner" });
  });

  test("must be a name that can be shown", async () => {
    const invalid = { code: 3, reason: "INVALID_REQUEST" };
    const headers = { "drover-end-user": "x".repeat(201) };
    expect(await failure(client.unary(query, sql("SELECT 1"), { headers }))).toMatchObject(invalid);
    expect(await failure(client.stream(runQuery, sql("SELECT 1"), { headers }).toArray())).toMatchObject(invalid);
    const response = await post("", { "drover-end-user": "J\u00f6rg" });
    expect(response.status).toBe(400);
    expect(await response.text()).toContain("drover-end-user");
  });

  test("is of no matter to calls that need no token", async () => {
    using stranger = new GrpcClient(driver.address, {});
    await stranger.unary(Health.method.check, {}, { headers: { "drover-end-user": "" } });
  });
});

/** Has one query hold the only place while others come in, and answers with the order in which those got it. */
async function orderOf(asked: readonly { readonly id: string; readonly by: GrpcClient; readonly user?: string }[]) {
  const holder = client.stream(runQuery, sql("SELECT i, i * 2 AS j FROM range(5000000) t(i)"));
  await new Promise((resolve) => holder.once("data", resolve));
  holder.pause();
  const answers: Promise<unknown>[] = [];
  for (const { id, by, user } of asked) {
    const headers = user === undefined ? {} : { "drover-end-user": user };
    answers.push(by.unary(query, { ...sql(SLOW), operationId: id }, { headers }));
    // They wait in the order in which they came.
    await expect
      .poll(async () => (await operation(id).catch(() => undefined))?.state, PATIENT)
      .toBe(OperationState.PENDING);
  }
  holder.cancel();
  await new Promise((resolve) => holder.once("error", resolve));
  await Promise.all(answers);
  const { response } = await client.unary(OperationService.method.listOperations, { pageSize: 100 });
  const started = response.operations
    .filter(({ id }) => asked.some((each) => each.id === id))
    .map(({ id, startTime }) => ({ id, at: Number(startTime?.seconds) * 1e9 + Number(startTime?.nanos) }));
  return started;
}

describe("places are given in turn", () => {
  test("to the end users of one app server", async () => {
    const started = await orderOf([
      { id: "ann-1", by: client, user: "ann" },
      { id: "ann-2", by: client, user: "ann" },
      { id: "bob-1", by: client, user: "bob" },
    ]);
    const at = (id: string) => started.find((each) => each.id === id)?.at ?? Number.NaN;
    expect(at("bob-1")).toBeLessThan(at("ann-2"));
  });

  test("to app servers that name nobody", async () => {
    using other = new GrpcClient(driver.address, {
      token: driver.token,
      options: { "grpc.use_local_subchannel_pool": 1 },
    });
    const started = await orderOf([
      { id: "one-1", by: client },
      { id: "one-2", by: client },
      { id: "other-1", by: other },
    ]);
    const at = (id: string) => started.find((each) => each.id === id)?.at ?? Number.NaN;
    expect(at("other-1")).toBeLessThan(at("one-2"));
  });
});
