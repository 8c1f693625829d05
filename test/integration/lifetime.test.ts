import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, test } from "vitest";
import { DriverService } from "../../src/gen/drover/v1/driver_service_pb.js";
import { QueryService } from "../../src/gen/drover/v1/query_service_pb.js";
import { Health } from "../../src/gen/grpc/health/v1/health_pb.js";
import { attachTo, describeDriver } from "../helpers/attached.ts";
import { startDriver, type TestDriver } from "../helpers/driver.ts";
import { failure, GrpcClient } from "../helpers/grpc-client.ts";

const jumpingClock = pathToFileURL(join(import.meta.dirname, "../helpers/jumping-clock.mjs")).href;
const CLEAN = { code: 0, signal: null };

/** Calls that show no token, one after the other, until the driver is gone. */
async function probe(driver: TestDriver): Promise<void> {
  using stranger = new GrpcClient(driver.address, {});
  const exited = driver.exited.then(() => true);
  while (!(await Promise.race([exited, Promise.resolve(false)]))) {
    try {
      await stranger.unary(Health.method.check, {});
      await stranger.unary(DriverService.method.proveIdentity, { nonce: new Uint8Array(32) });
      await failure(stranger.unary(DriverService.method.getDriver, {}));
      await fetch(`http://${driver.address}/readyz`);
    } catch {
      // It is about to be gone.
    }
  }
}

/** Calls again and again for so long. */
async function keepCalling(client: GrpcClient, ageMs: number): Promise<void> {
  const end = performance.now() + ageMs;
  while (performance.now() < end) await describeDriver(client);
}

describe("a driver without leases, operations and authenticated calls", () => {
  test("ends after lifetime.idle, though it is probed all the time", async () => {
    await using driver = await startDriver({ args: ["--lifetime-idle", "700ms"] });
    await probe(driver);
    expect(await driver.exited).toEqual(CLEAN);
    expect(driver.log()).toContain("no lease, operation or authenticated call for 700ms (lifetime.idle)");
  });

  test("is kept by a lease, and ends after the last one is gone", async () => {
    await using driver = await startDriver({ args: ["--lifetime-idle", "300ms"] });
    using client = new GrpcClient(driver.address, { token: driver.token });
    const { events, stream, ended } = await attachTo(client);
    // The heartbeat comes after many idle times.
    await expect.poll(() => events.at(-1)?.case, { timeout: 20_000 }).toBe("heartbeat");
    expect(driver.log()).not.toContain("lifetime.idle");
    stream.cancel();
    await ended;
    expect(await driver.exited).toEqual(CLEAN);
    expect(driver.log()).toContain("(lifetime.idle)");
  });

  test("is kept by a query that runs", async () => {
    await using driver = await startDriver({ args: ["--lifetime-idle", "300ms"] });
    using client = new GrpcClient(driver.address, { token: driver.token });
    const sql = "SELECT sum(hash(i)) AS s FROM range(60000000) t(i)";
    const { response } = await client.unary(QueryService.method.query, {
      question: { kind: { case: "sql", value: { sql } } },
    });
    expect(response.rows).toHaveLength(1);
    expect(await driver.exited).toEqual(CLEAN);
    expect(driver.log()).toContain("(lifetime.idle)");
  });
});

test("a driver that nobody calls with the token ends after lifetime.firstCall", async () => {
  await using driver = await startDriver({ args: ["--lifetime-first-call", "700ms"] });
  await probe(driver);
  expect(await driver.exited).toEqual(CLEAN);
  expect(driver.log()).toContain("no authenticated call came within 700ms (lifetime.firstCall)");
});

test("a driver that was called stays, until it is older than lifetime.max", async () => {
  await using driver = await startDriver({ args: ["--lifetime-first-call", "2s", "--lifetime-max", "4s"] });
  using client = new GrpcClient(driver.address, { token: driver.token });
  await describeDriver(client);
  await attachTo(client).then(({ ended }) => ended);
  expect(await driver.exited).toEqual(CLEAN);
  expect(driver.log()).toContain("it is older than 4s (lifetime.max)");
  expect(driver.log()).not.toContain("(lifetime.firstCall)");
});

test("a driver that a client started has rules of its own, `serve` by hand has none", async () => {
  const limits = async ({ address, token }: TestDriver) => {
    const metrics = await fetch(`http://${address}/metrics`, { headers: { authorization: `Bearer ${token}` } });
    return (await metrics.text()).match(/^drover_lifetime_limit_seconds.*$/gm);
  };
  await using byHand = await startDriver();
  expect(await limits(byHand)).toEqual([
    'drover_lifetime_limit_seconds{rule="firstCall"} 0',
    'drover_lifetime_limit_seconds{rule="idle"} 0',
    'drover_lifetime_limit_seconds{rule="max"} 0',
  ]);
  await using started = await startDriver({ args: ["--launch-id", "a-launch"], config: '[lifetime]\nmax = "1d"\n' });
  expect(await limits(started)).toEqual([
    'drover_lifetime_limit_seconds{rule="firstCall"} 60',
    'drover_lifetime_limit_seconds{rule="idle"} 1800',
    'drover_lifetime_limit_seconds{rule="max"} 86400',
  ]);
  using client = new GrpcClient(started.address, { token: started.token });
  expect((await describeDriver(client)).launchId).toBe("a-launch");
});

test("a wall clock that jumps by days ends no driver early, and none late", async () => {
  const args = ["--lifetime-idle", "1s", "--lifetime-max", "1h", "--lifetime-first-call", "1h"];
  await using driver = await startDriver({ args, env: { NODE_OPTIONS: `--import=${jumpingClock}` } });
  using client = new GrpcClient(driver.address, { token: driver.token });
  await keepCalling(client, 2_000);
  expect(driver.log()).not.toContain("lifetime.");
  expect(await driver.exited).toEqual(CLEAN);
  expect(driver.log()).toContain("no lease, operation or authenticated call for 1s (lifetime.idle)");
});
