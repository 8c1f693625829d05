import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { DroverError } from "../../clients/node/src/index.ts";
import { askUntilSeen } from "../helpers/ask-until-seen.ts";
import { bundleClient, startClient } from "../helpers/client-process.ts";
import { sendSignal } from "../helpers/driver-processes.ts";
import { type FaultScene, sumIn, sumOf, withinDeadline } from "../helpers/fault-scene.ts";
import { openedScene } from "../helpers/opened-scene.ts";
import { driverWithFault, type StartFault } from "../helpers/preloaded-driver.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";

const driverFile = join(inject("bundles"), "driver.mjs");
const slow = "SELECT sum(hash(a.i, b.i)) AS x FROM range(30000) a(i), range(3000) b(i)";
const phases: readonly StartFault["phase"][] = ["configuration", "catalog", "engine", "serving"];

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let clientProgram: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  clientProgram = await bundleClient(folder.path);
});

afterAll(() => folder[Symbol.asyncDispose]());

/** A program whose first start goes wrong. */
function failingOnce(scene: FaultScene, fault: StartFault): Promise<string> {
  const once = join(scene.dataDirectory, "happened");
  return driverWithFault({ folder: scene.dataDirectory, driverFile }, { ...fault, once });
}

async function errorOf(work: Promise<unknown>): Promise<DroverError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(DroverError);
  return error as DroverError;
}

describe("a driver that is killed in its start", () => {
  test.each(phases)(
    "in the phase %s is told to the client that started it, and the others get the next one",
    async (phase) => {
      await using scene = await openedScene();
      const program = await failingOnce(scene, { phase, act: "kill" });
      const ends = await Promise.allSettled([1, 2, 3, 4].map(() => scene.ensure({ program })));
      const failures = ends.flatMap((end) => (end.status === "rejected" ? [end.reason as DroverError] : []));
      // Those that share a start share its end.
      expect(failures.length).toBeGreaterThan(0);
      for (const failure of failures)
        expect(failure).toMatchObject({
          reason: "DRIVER_START_FAILED",
          start: { reason: "EXITED", phase, signal: "SIGKILL" },
        });
      const drovers = ends.flatMap((end) => (end.status === "fulfilled" ? [end.value] : []));
      expect(new Set(drovers.map(({ instanceId }) => instanceId)).size).toBeLessThanOrEqual(1);
      for (const drover of drovers) await drover.close();
      await scene.check();
    },
  );
});

describe("a start that hangs", () => {
  test.each(phases.slice(1))(
    "stopped in the phase %s is killed after the phase's time, and the next one serves",
    async (phase) => {
      await using scene = await openedScene();
      const program = await failingOnce(scene, { phase, act: "stop" });
      const phaseTimeoutsMs = { [phase]: 500 };
      const error = await errorOf(scene.ensure({ program, phaseTimeoutsMs }));
      expect(error.start).toMatchObject({ reason: "PHASE_TIMEOUT", phase, signal: "SIGKILL" });
      await scene.check();
    },
  );

  test("ends by itself where nobody watches it any more, and gives the profile back", async () => {
    await using scene = await openedScene();
    const patienceEnds = join(scene.dataDirectory, "patience-ends");
    const program = await failingOnce(scene, { phase: "catalog", act: "never", limit: patienceEnds });
    // Whoever started it is gone: nobody applies the phases' limits.
    const patient = { program, phaseTimeoutsMs: { catalog: 600_000 } };
    await using client = await startClient(clientProgram);
    expect(
      await client.tell({
        do: "ensure",
        options: { ...scene.options, ...patient },
        timeoutMs: 60_000,
        dieAt: "catalog",
      }),
    ).toBeUndefined();
    expect(await scene.processes()).toHaveLength(1);
    // It gives up once somebody else has found the profile taken.
    let races = 0;
    await using _ = await scene.ensure({
      onEvent: ({ type }) => {
        if (type !== "lostRace") return;
        races++;
        writeFileSync(patienceEnds, "");
      },
    });
    expect(races).toBeGreaterThan(0);
    await scene.check();
  });
});

describe("a driver that is killed at work", () => {
  test("in queries of several clients is followed by one that answers all of them", async () => {
    await using scene = await openedScene();
    const drovers = await Promise.all([1, 2, 3].map(() => scene.ensure()));
    const pid = await scene.pid();
    const { answer } = await askUntilSeen(
      () => Promise.all(drovers.map((drover) => drover.sql(slow, { timeoutMs: 60_000 }).rows())),
      async () => (await drovers[0]?.driver())?.runningOperations === 3,
    );
    sendSignal(pid, "SIGKILL");
    const rows = await withinDeadline(answer, 60_000, "a query");
    expect(new Set(rows.map((answer) => String([...answer][0]?.x))).size).toBe(1);
    for (const drover of drovers) await drover.close();
    await scene.check();
  });

  test("in loads, again and again, loses no dataset and no load", async () => {
    await using scene = await openedScene();
    await using drover = await scene.ensure();
    const rows = 300_000;
    const uri = await scene.source("big", rows);
    for (let round = 1; round <= 3; round++) {
      const load = await drover.load("big", { uri });
      await delay(Math.random() * 300);
      sendSignal(await scene.pid(), "SIGKILL");
      const { dataset } = await withinDeadline(load.result(), 60_000, "a load");
      expect(dataset.version?.rows).toBe(rows);
      scene.sums.set("big", sumOf(rows));
      expect(await sumIn(drover, "big")).toBe(sumOf(rows));
    }
    await scene.check();
  });
});

describe.concurrent("a driver that is stopped by a signal", () => {
  test("in a query is killed by whoever can prove which process it is, and the next one answers", async ({
    expect,
  }) => {
    await using scene = await openedScene();
    await using drover = await scene.ensure({ keepaliveMs: 1_000, unresponsiveAfterMs: 1_000 });
    const pid = await scene.pid();
    const { answer } = await askUntilSeen(
      () => drover.sql(slow, { timeoutMs: 60_000 }).rows(),
      async () => (await drover.driver()).runningOperations === 1,
    );
    sendSignal(pid, "SIGSTOP");
    // No answer to this one was on its way already.
    const sum = sumIn(drover, "before", 60_000);
    expect([...(await withinDeadline(answer, 60_000, "a query"))]).toHaveLength(1);
    expect(await sum).toBe(scene.sums.get("before"));
    expect(await scene.processes()).not.toContain(pid);
    await scene.check();
  });

  test("and goes on before anybody lost patience stays the one that it was", async ({ expect }) => {
    await using scene = await openedScene();
    await using drover = await scene.ensure();
    const pid = await scene.pid();
    sendSignal(pid, "SIGSTOP");
    const joined = scene.ensure();
    const sum = sumIn(drover, "before");
    await delay(3_000);
    sendSignal(pid, "SIGCONT");
    expect(await sum).toBe(scene.sums.get("before"));
    await using other = await joined;
    expect(other.instanceId).toBe(drover.instanceId);
    expect(await scene.processes()).toEqual([pid]);
    await scene.check();
  });
});

test("a client that was stopped itself takes no driver for one that hangs", async () => {
  await using scene = await openedScene();
  await using first = await scene.ensure();
  const pid = await scene.pid();
  sendSignal(pid, "SIGSTOP");
  const { drover } = await (async () => {
    const waiting = scene.ensureTold({ unresponsiveAfterMs: 8_000 });
    await delay(2_500);
    // As if it had not run for the time: nothing of it happens in this process for longer than its patience.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 8_500);
    sendSignal(pid, "SIGCONT");
    return waiting;
  })();
  await using _ = drover;
  expect(drover.instanceId).toBe(first.instanceId);
});
