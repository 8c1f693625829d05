import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "vitest";
import { type Direction, startCutProxy } from "../helpers/cut-proxy.ts";
import { type FaultScene, sumIn, withinDeadline } from "../helpers/fault-scene.ts";
import { openedScene } from "../helpers/opened-scene.ts";

const endless = "SELECT sum(hash(a.i, b.i)) FROM range(10000000) a(i), range(10000000) b(i)";
const directions: readonly Direction[] = ["toClient", "toDriver"];

/** A driver behind a proxy, and a client that knows only the proxy's address. */
async function behindProxy(scene: FaultScene) {
  const near = await scene.ensure();
  const proxy = await startCutProxy(near.address);
  const token = (await readFile(join(scene.dataDirectory, "token"), "utf8")).trim();
  const far = await scene.ensure({ address: proxy.address, token, lease: { name: "far" } });
  return {
    ...{ near, proxy, far },
    [Symbol.asyncDispose]: async () => {
      await far.close();
      await proxy[Symbol.asyncDispose]();
      await near.close();
    },
  };
}

describe("a connection that lets nothing through", () => {
  test.concurrent.for(directions)(
    "%s any more keeps no caller past the deadline, and the driver forgets its lease and its query",
    async (direction, { expect }) => {
      await using scene = await openedScene();
      await scene.configure('threads = 1\n[limits]\ndetachedTimeout = "1s"\n');
      await using place = await behindProxy(scene);
      const { near, far, proxy } = place;
      await expect.poll(async () => (await near.driver()).leases.length, { timeout: 30_000 }).toBe(1);
      const query = far
        .sql(endless, { timeoutMs: 15_000 })
        .rows()
        .catch((error: { reason: string }) => error.reason);
      await expect.poll(async () => (await near.driver()).runningOperations, { timeout: 30_000 }).toBe(1);
      proxy.stall(direction);
      const dataset = far.dataset("before", { timeoutMs: 2_000 }).catch((error: { reason: string }) => error.reason);
      expect(await withinDeadline(dataset, 2_000, "a call")).toMatch(/DEADLINE_EXCEEDED|UNREACHABLE|STREAM_CUT/);
      expect(await withinDeadline(query, 15_000, "a query")).toMatch(/DEADLINE_EXCEEDED|UNREACHABLE|STREAM_CUT/);
      await expect.poll(async () => (await near.driver()).leases, { timeout: 30_000 }).toEqual([]);
      await expect.poll(async () => (await near.driver()).runningOperations, { timeout: 30_000 }).toBe(0);
      await scene.check();
    },
  );

  test.concurrent("for good is left for a new one, if that works", async ({ expect }) => {
    await using scene = await openedScene();
    await using place = await behindProxy(scene);
    const { far, proxy } = place;
    proxy.stallOpen("toClient");
    expect(await sumIn(far, "before", 60_000)).toBe(scene.sums.get("before"));
    await scene.check();
  });
});
