import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
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
/** Long enough that a test comes in between, also where the machine has other things to do. */
const IDLE_MS = 8_000;
/** Longer than an idle time. */
const LONGER_MS = 1.5 * IDLE_MS;
const PATIENT = { timeout: 120_000 };

let turn = Promise.resolve();

/** One start after the other, each with the first call: the waiting that the tests are about may well be at once. */
function inTurn<T>(start: () => Promise<T>): Promise<T> {
  const started = turn.then(start);
  turn = started.then(
    () => undefined,
    () => undefined,
  );
  return started;
}

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
      await delay(100);
    } catch {
      // It is about to be gone.
    }
  }
}

/** A driver that was called at once, and what the test begins with. */
function called<T>(
  args: readonly string[],
  begin: (client: GrpcClient) => Promise<T>,
  env: Readonly<Record<string, string>> = {},
) {
  return inTurn(async () => {
    const driver = await startDriver({ args, env });
    const client = new GrpcClient(driver.address, { token: driver.token });
    const begun = await begin(client);
    return {
      driver,
      client,
      begun,
      [Symbol.asyncDispose]: async () => {
        client[Symbol.dispose]();
        await driver[Symbol.asyncDispose]();
      },
    };
  });
}

/** Calls again and again for so long. */
async function keepCalling(client: GrpcClient, ageMs: number): Promise<void> {
  const end = performance.now() + ageMs;
  while (performance.now() < end) {
    await describeDriver(client);
    await delay(100);
  }
}

// Those that take long come first: no more than five go on at once, and single tests before those of a group.
test.concurrent("a wall clock that jumps by days ends no driver early, and none late", PATIENT, async () => {
  const args = ["--lifetime-idle", `${IDLE_MS}ms`, "--lifetime-max", "1h", "--lifetime-first-call", "1h"];
  await using scene = await called(args, describeDriver, { NODE_OPTIONS: `--import=${jumpingClock}` });
  const { driver, client } = scene;
  await keepCalling(client, LONGER_MS);
  expect(driver.log()).not.toContain("lifetime.");
  expect(await driver.exited).toEqual(CLEAN);
  expect(driver.log()).toContain("no lease, operation or authenticated call for 8s (lifetime.idle)");
});

test.concurrent("a driver that was called stays, until it is older than lifetime.max", PATIENT, async () => {
  await using scene = await called(["--lifetime-first-call", "8s", "--lifetime-max", "16s"], (client) =>
    attachTo(client),
  );
  const { driver, begun } = scene;
  await begun.ended;
  expect(await driver.exited).toEqual(CLEAN);
  expect(driver.log()).toContain("it is older than 16s (lifetime.max)");
  expect(driver.log()).not.toContain("(lifetime.firstCall)");
});

describe.concurrent("a driver without leases, operations and authenticated calls", PATIENT, () => {
  test("is kept by a lease, and ends after the last one is gone", async () => {
    await using scene = await called(["--lifetime-idle", `${IDLE_MS}ms`], (client) => attachTo(client));
    const { driver, begun } = scene;
    const { events, stream, ended } = begun;
    // The second heartbeat comes after more than an idle time.
    const beats = () => events.filter(({ case: kind }) => kind === "heartbeat").length;
    await expect.poll(beats, { timeout: 60_000 }).toBeGreaterThanOrEqual(2);
    expect(driver.log()).not.toContain("lifetime.idle");
    stream.cancel();
    await ended;
    expect(await driver.exited).toEqual(CLEAN);
    expect(driver.log()).toContain("(lifetime.idle)");
  });

  test("is kept by a query that runs", async () => {
    // Far more than is sent to a reader that does not read on.
    const sql = "SELECT i, i * 2 AS j FROM range(5000000) t(i)";
    const question = { kind: { case: "sql", value: { sql } } } as const;
    await using scene = await called(["--lifetime-idle", `${IDLE_MS}ms`], async (client) => {
      const call = client.stream(QueryService.method.runQuery, { question });
      call.pause();
      await once(call, "readable");
      return { call };
    });
    const { driver, begun } = scene;
    const { call } = begun;
    await delay(LONGER_MS);
    expect(driver.log()).not.toContain("lifetime.idle");
    expect((await call.toArray()).at(-1)?.event.case).toBe("completed");
    expect(await driver.exited).toEqual(CLEAN);
    expect(driver.log()).toContain("(lifetime.idle)");
  });

  test("ends after lifetime.idle, though it is probed all the time", async () => {
    await using driver = await inTurn(() => startDriver({ args: ["--lifetime-idle", `${IDLE_MS}ms`] }));
    await probe(driver);
    expect(await driver.exited).toEqual(CLEAN);
    expect(driver.log()).toContain("no lease, operation or authenticated call for 8s (lifetime.idle)");
  });
});

describe.concurrent("a driver that nobody calls with the token", PATIENT, () => {
  test("ends after lifetime.firstCall", async () => {
    await using driver = await inTurn(() => startDriver({ args: ["--lifetime-first-call", "8s"] }));
    await probe(driver);
    expect(await driver.exited).toEqual(CLEAN);
    expect(driver.log()).toContain("no authenticated call came within 8s (lifetime.firstCall)");
  });
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
