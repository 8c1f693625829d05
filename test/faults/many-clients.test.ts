import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  bundleClient,
  type ClientEvent,
  type ClientProcess,
  type DieAt,
  startClient,
} from "../helpers/client-process.ts";
import { type FaultScene, withinDeadline } from "../helpers/fault-scene.ts";
import { openedScene } from "../helpers/opened-scene.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";

const timeoutMs = 90_000;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let program: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  program = await bundleClient(folder.path);
});

afterAll(() => folder[Symbol.asyncDispose]());

/** Clients in processes of their own that have loaded their program. */
async function clients(count: number): Promise<AsyncDisposable & { readonly all: readonly ClientProcess[] }> {
  const all: ClientProcess[] = [];
  let begun = 0;
  const start = async () => {
    while (begun++ < count) all.push(await startClient(program));
  };
  await Promise.all([start(), start(), start(), start()]);
  return {
    all,
    [Symbol.asyncDispose]: async () => {
      for (const client of all) await client[Symbol.asyncDispose]();
    },
  };
}

function connect(
  scene: FaultScene,
  client: ClientProcess,
  more: { delayMs?: number; dieAt?: DieAt; by?: "SIGSTOP" } = {},
) {
  const told = client.tell({ do: "ensure", options: scene.options, timeoutMs, ...more });
  return withinDeadline(told, timeoutMs + (more.delayMs ?? 0), "a client");
}

const instanceIn = (event: ClientEvent | undefined) =>
  event?.event === "connected" ? event.instanceId : JSON.stringify(event);

describe("clients that come at once", () => {
  test.each([20, 50])("%i of them get one driver, and all the same one", async (count) => {
    await using scene = await openedScene();
    await using many = await clients(count);
    const connected = await Promise.all(
      many.all.map((client) => connect(scene, client, { delayMs: Math.random() * 300 })),
    );
    expect(new Set(connected.map(instanceIn)).size).toBe(1);
    expect(connected[0]?.event).toBe("connected");
    const asked = many.all.map((client) => client.tell({ do: "ask", dataset: "before", timeoutMs }));
    const sums = await withinDeadline(Promise.all(asked), timeoutMs, "a query");
    expect(new Set(sums.map((event) => (event?.event === "sum" ? event.sum : event)))).toEqual(
      new Set([scene.sums.get("before")]),
    );
    await scene.check();
  });
});

describe("a client that is killed while it starts the driver", () => {
  const moments: readonly DieAt[] = ["starting", "spawned", "configuration", "engine", "serving", "connected"];

  test.each(moments)("at the moment %s does not keep the others from theirs", async (dieAt) => {
    await using scene = await openedScene();
    await using many = await clients(4);
    const [winner, ...others] = many.all as [ClientProcess, ...ClientProcess[]];
    const dead = connect(scene, winner, { dieAt });
    // The others come when it has begun, so that it is this one that starts the driver.
    await expect.poll(() => winner.events.some((event) => event.event === "step"), { timeout: 30_000 }).toBe(true);
    const connected = await Promise.all(others.map((client) => connect(scene, client)));
    expect(await dead).toBeUndefined();
    expect(await winner.exited).toMatchObject({ signal: "SIGKILL" });
    expect(new Set(connected.map(instanceIn)).size).toBe(1);
    expect(connected[0]?.event).toBe("connected");
    await scene.check();
  });

  test("and all that come after it are killed, too, until one is not", async () => {
    await using scene = await openedScene();
    await using many = await clients(6);
    const fates: readonly (DieAt | undefined)[] = [
      "starting",
      "configuration",
      "spawned",
      "catalog",
      "starting",
      undefined,
    ];
    const ends = await Promise.all(
      many.all.map((client, index) => {
        const dieAt = fates[index];
        return connect(scene, client, dieAt === undefined ? {} : { dieAt });
      }),
    );
    expect(ends.at(-1)?.event).toBe("connected");
    await scene.check();
  });

  test("or stopped, which keeps its lock, does not keep the others waiting for ever", async () => {
    await using scene = await openedScene();
    await using many = await clients(3);
    const [winner, ...others] = many.all as [ClientProcess, ...ClientProcess[]];
    const stopped = connect(scene, winner, { dieAt: "starting", by: "SIGSTOP" });
    await expect.poll(() => winner.events.some((event) => event.event === "step"), { timeout: 30_000 }).toBe(true);
    const connected = await Promise.all(others.map((client) => connect(scene, client)));
    expect(new Set(connected.map(instanceIn)).size).toBe(1);
    expect(connected[0]?.event).toBe("connected");
    winner.kill("SIGCONT");
    expect(instanceIn(await stopped)).toBe(instanceIn(connected[0]));
    await scene.check();
  });
});
