import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { ClientReadableStream } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { DatasetService } from "../../src/gen/drover/v1/dataset_service_pb.js";
import { DriverService, DriverState } from "../../src/gen/drover/v1/driver_service_pb.js";
import { QueryService, type RunQueryResponse } from "../../src/gen/drover/v1/query_service_pb.js";
import { startDriver, type TestDriver } from "../helpers/driver.ts";
import { failure, GrpcClient } from "../helpers/grpc-client.ts";
import { holdFile } from "../helpers/held-file.ts";

/** More than a connection buffers, so that it runs until it is read. */
const LONG = "SELECT i, repeat('x', 100) AS text FROM range(300000) r(i)";
const ENDLESS = "SELECT count(*) FROM range(10000000) a(i), range(10000000) b(i) WHERE a.i > b.i";

const question = (sql: string) => ({ question: { kind: { case: "sql" as const, value: { sql } } } });

async function begun(client: GrpcClient, sql: string): Promise<ClientReadableStream<RunQueryResponse>> {
  const call = client.stream(QueryService.method.runQuery, question(sql));
  call.pause();
  await once(call, "readable");
  return call;
}

async function stateOf(client: GrpcClient): Promise<DriverState> {
  return (await client.unary(DriverService.method.getDriver, {})).response.state;
}

const addressFile = (driver: TestDriver) => join(driver.dataDir, "drivers", "default.json");

describe("a driver that drains", () => {
  test("lets what runs finish, takes connections but no work, and has made room for the next driver", async () => {
    await using driver = await startDriver({ args: ["--stop-grace", "10m"] });
    using client = new GrpcClient(driver.address, { token: driver.token });
    const call = await begun(client, LONG);
    driver.process.kill("SIGTERM");
    // Another connection, as after a broken one.
    using later = new GrpcClient(driver.address, {
      token: driver.token,
      options: { "grpc.use_local_subchannel_pool": 1 },
    });
    await expect.poll(() => stateOf(later)).toBe(DriverState.DRAINING);
    await expect.poll(() => existsSync(addressFile(driver))).toBe(false);
    const refused = await failure(later.unary(QueryService.method.query, question("SELECT 1")));
    expect(refused).toMatchObject({ code: 14, reason: "NOT_SERVING" });
    const refusedLoad = await failure(
      later.unary(DatasetService.method.loadDataset, { dataset: "x", source: { uri: "/nowhere.csv" } }),
    );
    expect(refusedLoad).toMatchObject({ code: 14, reason: "NOT_SERVING" });
    const { response } = await later.unary(DriverService.method.getDriver, {});
    expect(response).toMatchObject({ drainReason: "SIGTERM", runningOperations: 1 });
    await expect(later.unary(DatasetService.method.listDatasets, {})).resolves.toBeDefined();
    const instance = join(driver.dataDir, "instances", `${driver.instanceId}.json`);
    expect(existsSync(instance)).toBe(true);

    await using next = await startDriver({ dataDir: driver.dataDir });
    expect(existsSync(instance)).toBe(true);
    const events = await call.toArray();
    expect(events.at(-1)?.event.case).toBe("completed");
    expect(await driver.exited).toEqual({ code: 0, signal: null });
    expect(existsSync(instance)).toBe(false);
    expect(JSON.parse(await readFile(addressFile(next), "utf8")).instanceId).toBe(next.instanceId);
    expect(existsSync(join(driver.dataDir, "drivers", "default.running"))).toBe(true);
  });

  test("cancels what is left at its deadline, which may be brought forward and not put off", async () => {
    await using driver = await startDriver();
    using client = new GrpcClient(driver.address, { token: driver.token });
    const broken = failure((await begun(client, ENDLESS)).toArray());
    const drain = async (seconds: bigint) => {
      const { response } = await client.unary(DriverService.method.drain, { timeout: { seconds } });
      return Number(response.deadline?.seconds) - Math.floor(Date.now() / 1000);
    };
    expect(await drain(3600n)).toBeGreaterThan(3000);
    await expect.poll(() => stateOf(client)).toBe(DriverState.DRAINING);
    expect(await drain(1800n)).toBeLessThan(1900);
    expect(await drain(7200n)).toBeLessThan(1900);
    expect(await drain(0n)).toBeLessThan(2);
    expect(await broken).toMatchObject({ code: 14, reason: "DRIVER_STOPPED" });
    expect(await driver.exited).toEqual({ code: 0, signal: null });
  });

  test("ends with a load that is watched only once its watcher has seen the end", async () => {
    await using driver = await startDriver({ args: ["--stop-grace", "10m"] });
    using client = new GrpcClient(driver.address, { token: driver.token });
    await using file = await holdFile("numbers.csv", `n\n${"1\n".repeat(300_000)}`);
    const asked = { dataset: "n", source: { uri: file.uri } };
    const { response } = await client.unary(DatasetService.method.loadDataset, asked);
    driver.process.kill("SIGTERM");
    const operationId = response.operation?.id ?? "";
    const watched = client.stream(DatasetService.method.watchLoad, { operationId });
    watched.pause();
    await once(watched, "readable");
    await expect.poll(() => stateOf(client)).toBe(DriverState.DRAINING);
    file.letGo();
    const events = await watched.toArray();
    expect(events.at(-1)?.event).toMatchObject({ case: "completed" });
    expect(await driver.exited).toEqual({ code: 0, signal: null });
  });
});

test.concurrent("a driver that drains keeps the time that it was given, though its address is gone", async ({
  expect,
}) => {
  await using driver = await startDriver({ args: ["--drain-timeout", "1s", "--threads", "1"] });
  using client = new GrpcClient(driver.address, { token: driver.token });
  const broken = failure((await begun(client, ENDLESS)).toArray());
  const { response } = await client.unary(DriverService.method.drain, { timeout: { seconds: 3600n } });
  // Longer than a driver takes to see that its address file is gone, and to drain by its own settings.
  await delay(7_000);
  const again = await client.unary(DriverService.method.drain, { timeout: { seconds: 7200n } });
  expect(again.response.deadline?.seconds).toBe(response.deadline?.seconds);
  expect(await stateOf(client)).toBe(DriverState.DRAINING);
  await client.unary(DriverService.method.drain, { timeout: { seconds: 0n } });
  expect(await broken).toMatchObject({ reason: "DRIVER_STOPPED" });
});

// Each waits until the driver looks at its file.
describe.concurrent("a driver whose address file", () => {
  test("is gone no longer owns the profile and drains", async ({ expect }) => {
    await using driver = await startDriver();
    await rm(addressFile(driver));
    expect(await driver.exited).toEqual({ code: 0, signal: null });
    expect(driver.log()).toContain("default.json is gone or names another driver");
  });

  test.for([
    ["names another", JSON.stringify({ formatVersion: 1, instanceId: "another" })],
    ["is of a newer format", JSON.stringify({ formatVersion: 2, owner: "another" })],
    ["was cut", '{"formatVer'],
  ] as const)("%s drains and leaves it as it is", async ([_, content], { expect }) => {
    await using driver = await startDriver();
    await writeFile(addressFile(driver), content);
    expect(await driver.exited).toEqual({ code: 0, signal: null });
    expect(await readFile(addressFile(driver), "utf8")).toBe(content);
  });
});
