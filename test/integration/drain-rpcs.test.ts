import { once } from "node:events";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { DatasetService } from "../../src/gen/drover/v1/dataset_service_pb.js";
import { DriverService, DriverState } from "../../src/gen/drover/v1/driver_service_pb.js";
import { OperationService, OperationState } from "../../src/gen/drover/v1/operation_service_pb.js";
import { QueryService, type RunQueryResponse } from "../../src/gen/drover/v1/query_service_pb.js";
import { Health, HealthCheckResponse_ServingStatus } from "../../src/gen/grpc/health/v1/health_pb.js";
import { attachTo, describeDriver } from "../helpers/attached.ts";
import { startDriver } from "../helpers/driver.ts";
import { failure, GrpcClient } from "../helpers/grpc-client.ts";
import { holdFile } from "../helpers/held-file.ts";

/** Never ends by itself within a test. */
const ENDLESS = "SELECT sum(hash(a.i, b.i)) FROM range(10000000) a(i), range(10000000) b(i)";
/** More than the buffers on its way hold: it goes on when its reader does. */
const LARGE = "SELECT i, i * 2 AS j FROM range(5000000) t(i)";
const PATIENT = { timeout: 30_000 };
const { drain, stop } = DriverService.method;

/** Starts a query and reads its first event. */
async function startQuery(client: GrpcClient, sql: string) {
  const stream = client.stream(QueryService.method.runQuery, { question: { kind: { case: "sql", value: { sql } } } });
  const [first]: RunQueryResponse[] = await once(stream, "data");
  stream.pause();
  const operationId = first?.event.case === "accepted" ? first.event.value.operationId : "";
  return { stream, operationId };
}

function milliseconds(time: Timestamp | undefined): number {
  return time === undefined ? Number.NaN : timestampMs(time);
}

test("a driver that is asked to drain tells everybody, takes no new work, lets the running work finish, and ends", async () => {
  await using driver = await startDriver();
  using client = new GrpcClient(driver.address, { token: driver.token });
  using another = new GrpcClient(driver.address, { token: driver.token });
  const attached = await attachTo(client, "dashboard-1");
  const { stream, operationId } = await startQuery(client, LARGE);

  const { response } = await client.unary(drain, { reason: "a newer one took over", timeout: { seconds: 600n } });
  expect(response.runningOperations).toBe(1);
  expect(milliseconds(response.deadline)).toBeGreaterThan(Date.now());
  const event = { reason: "a newer one took over", deadline: response.deadline };
  await expect.poll(() => attached.news().at(-1), PATIENT).toMatchObject({ case: "draining", value: event });

  await expect.poll(async () => (await describeDriver(another)).state, PATIENT).toBe(DriverState.DRAINING);
  expect(await describeDriver(another)).toMatchObject({
    drainReason: "a newer one took over",
    runningOperations: 1,
    leases: [{ clientName: "dashboard-1" }],
  });
  const address = join(driver.dataDir, "drivers", "default.json");
  await expect.poll(() => stat(address).catch(({ code }) => code), PATIENT).toBe("ENOENT");
  const health = await another.unary(Health.method.check, {});
  expect(health.response.status).toBe(HealthCheckResponse_ServingStatus.NOT_SERVING);

  expect(await failure(attachTo(another))).toMatchObject({ code: 14, reason: "NOT_SERVING" });
  const state = async () => {
    const { response: found } = await another.unary(OperationService.method.getOperation, { id: operationId });
    return found.operation?.state;
  };
  await expect.poll(state).toBe(OperationState.RUNNING);

  const rest: RunQueryResponse[] = await stream.toArray();
  expect(rest.at(-1)?.event.case).toBe("completed");
  expect(await attached.ended).toMatchObject({ code: 14, reason: "DRIVER_STOPPED" });
  expect(await driver.exited).toEqual({ code: 0, signal: null });
});

test("a load that runs is finished and published before the driver ends", async () => {
  await using driver = await startDriver();
  using client = new GrpcClient(driver.address, { token: driver.token });
  await using file = await holdFile("rows.csv", `a,b\n${"1,2\n".repeat(100_000)}`);
  const asked = { dataset: "rows", source: { uri: file.uri }, operationId: "the-load" };
  await client.unary(DatasetService.method.loadDataset, asked);
  const watched = client.stream(DatasetService.method.watchLoad, { operationId: "the-load" }).toArray();
  const { response } = await client.unary(drain, {});
  expect(response.runningOperations).toBe(1);
  await expect.poll(async () => (await describeDriver(client)).state).toBe(DriverState.DRAINING);
  file.letGo();
  expect((await watched).at(-1)?.event.case).toBe("completed");
  expect(await driver.exited).toEqual({ code: 0, signal: null });
  await using next = await startDriver({ dataDir: driver.dataDir });
  using nextClient = new GrpcClient(next.address, { token: next.token });
  const { response: found } = await nextClient.unary(DatasetService.method.getDataset, { dataset: "rows" });
  expect(found.dataset?.name).toBe("rows");
});

describe("work that does not finish is cancelled", () => {
  test("after the time that Drain names", async () => {
    await using driver = await startDriver();
    using client = new GrpcClient(driver.address, { token: driver.token });
    const { stream } = await startQuery(client, ENDLESS);
    const broken = failure(stream.toArray());
    await client.unary(drain, { timeout: { nanos: 300_000_000 } });
    expect(await broken).toMatchObject({ code: 14, reason: "DRIVER_STOPPED" });
    expect(await driver.exited).toEqual({ code: 0, signal: null });
  });

  test("after stopGrace, if it is told to stop", async () => {
    await using driver = await startDriver({ args: ["--stop-grace", "300ms"] });
    using client = new GrpcClient(driver.address, { token: driver.token });
    const attached = await attachTo(client);
    const { stream } = await startQuery(client, ENDLESS);
    const broken = failure(stream.toArray());
    const { response } = await client.unary(stop, {});
    expect(response.runningOperations).toBe(1);
    expect(await broken).toMatchObject({ code: 14, reason: "DRIVER_STOPPED" });
    expect(await driver.exited).toEqual({ code: 0, signal: null });
    await attached.ended;
    expect(attached.news().at(-1)).toMatchObject({ case: "draining", value: { reason: "owner asked it to stop" } });
  });

  test("at the earliest of the deadlines that were asked for", async () => {
    await using driver = await startDriver();
    using client = new GrpcClient(driver.address, { token: driver.token });
    const attached = await attachTo(client);
    const { stream } = await startQuery(client, ENDLESS);
    const broken = failure(stream.toArray());
    const first = (await client.unary(drain, { timeout: { seconds: 3_600n } })).response;
    const later = (await client.unary(drain, { timeout: { seconds: 7_200n } })).response;
    expect(later.deadline).toEqual(first.deadline);
    const sooner = (await client.unary(drain, { timeout: { seconds: 0n } })).response;
    expect(milliseconds(sooner.deadline)).toBeLessThan(milliseconds(first.deadline));
    expect(await broken).toMatchObject({ code: 14, reason: "DRIVER_STOPPED" });
    await attached.ended;
    expect(attached.news().map(({ case: kind }) => kind)).toEqual(["attached", "draining", "draining"]);
    expect(await driver.exited).toEqual({ code: 0, signal: null });
  });
});

test("attached clients alone do not hold up the end", async () => {
  await using driver = await startDriver();
  using client = new GrpcClient(driver.address, { token: driver.token });
  const attached = await Promise.all(Array.from({ length: 5 }, () => attachTo(client)));
  await client.unary(drain, { timeout: { seconds: 3_600n } });
  expect(await driver.exited).toEqual({ code: 0, signal: null });
  for (const { ended } of attached) expect((await ended).code).toBe(14);
});
