import { join } from "node:path";
import { describe, expect, inject, test } from "vitest";
import { askUntilSeen } from "../helpers/ask-until-seen.ts";
import { eventually } from "../helpers/driver-processes.ts";
import { sumIn, withinDeadline } from "../helpers/fault-scene.ts";
import { openedScene } from "../helpers/opened-scene.ts";
import { driverWithSteppingClock } from "../helpers/preloaded-driver.ts";

const driverFile = join(inject("bundles"), "driver.mjs");
const hourMs = 3_600_000;
const slow = "SELECT sum(hash(a.i, b.i)) AS x FROM range(20000) a(i), range(3000) b(i)";
const endless = "SELECT sum(hash(a.i, b.i)) FROM range(10000000) a(i), range(10000000) b(i)";

/** Sets this process's clock by so much until it is disposed. */
function setClock(byMs: number): Disposable {
  const now = Date.now;
  Date.now = () => now() + byMs;
  return {
    [Symbol.dispose]: () => {
      Date.now = now;
    },
  };
}

const jumps = [
  ["forwards", hourMs],
  ["backwards", -hourMs],
] as const;

describe("a client's clock that jumps", () => {
  test.each(jumps)("%s while it looks for a driver takes no time from it and gives it none", async (_way, byMs) => {
    await using scene = await openedScene();
    const looking = scene.ensure();
    using _clock = setClock(byMs);
    await using drover = await looking;
    expect(await sumIn(drover, "before")).toBe(scene.sums.get("before"));
    await scene.check();
  });

  test.each(jumps)("%s in a query leaves it its deadline", async (_way, byMs) => {
    await using scene = await openedScene();
    await using drover = await scene.ensure();
    const lateMs = 5_000;
    let late: Promise<unknown> = Promise.resolve();
    const { answer } = await askUntilSeen(
      () => {
        late = drover
          .sql(endless, { timeoutMs: lateMs })
          .rows()
          .catch((error: { reason: string }) => error.reason);
        return Promise.all([drover.sql(slow, { timeoutMs: 60_000 }).rows(), late]);
      },
      async () => (await drover.driver()).runningOperations === 2,
    );
    using _clock = setClock(byMs);
    expect(await withinDeadline(late, lateMs, "a query")).toBe("DEADLINE_EXCEEDED");
    expect([...(await answer)[0]]).toHaveLength(1);
    await scene.check();
  });

  test.each(jumps)("%s after starts that failed does not make the wait longer than it is", async (_way, byMs) => {
    await using scene = await openedScene();
    const backoff = { freeFailures: 0, firstDelayMs: 2_000, maxDelayMs: 2_000 };
    await scene.configure("thread = 1");
    for (const _ of [1, 2]) await scene.ensure({ backoff }).catch(() => {});
    await scene.configure("threads = 1");
    using _clock = setClock(byMs);
    await using drover = await scene.ensure({ backoff });
    expect((await drover.driver()).threads).toBe(1);
  });
});

describe("a driver whose clock is set all the time", () => {
  test("is found, answers, loads, and drains within its time", async () => {
    await using scene = await openedScene();
    const program = await driverWithSteppingClock({ folder: scene.dataDirectory, driverFile });
    await using drover = await scene.ensure({ program });
    await scene.load(drover, "later");
    await scene.check();
    const running = drover
      .sql(endless, { timeoutMs: 15_000 })
      .rows()
      .catch((error: { reason: string }) => error.reason);
    await expect.poll(async () => (await drover.driver()).runningOperations, { timeout: 30_000 }).toBe(1);
    const [pid = 0] = await scene.processes();
    await drover.drain({ timeoutMs: 1_000 });
    // It is cancelled there, and goes on at the next driver until its own time is over.
    expect(await withinDeadline(running, 15_000, "a query")).toBe("DEADLINE_EXCEEDED");
    await eventually(async () => !(await scene.processes()).includes(pid), "the end of the driver that drains");
    await scene.check();
  });
});
