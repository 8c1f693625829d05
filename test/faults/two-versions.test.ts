import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Drover, EnsureEvent } from "../../clients/node/src/index.ts";
import { driverPackageOf } from "../helpers/driver-package.ts";
import { FaultScene, sumIn } from "../helpers/fault-scene.ts";
import { openedScene } from "../helpers/opened-scene.ts";
import { driverProgram } from "../helpers/profile.ts";

const newVersion = "99.1.0";
let next: Awaited<ReturnType<typeof driverPackageOf>>;

beforeAll(async () => {
  next = await driverPackageOf(newVersion);
});

afterAll(() => next[Symbol.asyncDispose]());

interface Seen {
  readonly at: number;
  readonly instanceId: string;
}

/** For so long, and on while the old driver answers: on a slow machine the next one takes its time. */
function timeOf(old: string, forMs: number): (seen: readonly Seen[]) => boolean {
  const begin = performance.now();
  return (seen) => {
    const passedMs = performance.now() - begin;
    return passedMs < forMs || (passedMs < 90_000 && seen.at(-1)?.instanceId === old);
  };
}

/** Clients that come and go for a while, each asking; answers which instances answered, in order. */
async function comeAndGo(
  scene: FaultScene,
  program: string,
  goesOn: (seen: readonly Seen[]) => boolean,
  onEvent: (event: EnsureEvent) => void,
) {
  const seen: Seen[] = [];
  while (goesOn(seen)) {
    await using drover = await scene.ensure({ program, onEvent });
    expect(await sumIn(drover, "before")).toBe(scene.sums.get("before"));
    seen.push({ at: performance.now(), instanceId: drover.instanceId });
    await delay(Math.random() * 200);
  }
  return seen;
}

/** A client that stays and asks all the time. */
async function stay(scene: FaultScene, drover: Drover, goesOn: (seen: readonly Seen[]) => boolean) {
  const seen: Seen[] = [];
  while (goesOn(seen)) {
    expect(await sumIn(drover, "before")).toBe(scene.sums.get("before"));
    seen.push({ at: performance.now(), instanceId: drover.instanceId });
    await delay(50);
  }
  await drover.close();
  return seen;
}

describe("two versions of the client", () => {
  test("ten of each together make one switch, to the newer, and lose no answer", async () => {
    await using scene = await openedScene();
    const before = await scene.ensure();
    const old = before.instanceId;
    const oldVersion = (await before.driver()).version;
    const starts: EnsureEvent[] = [];
    const onEvent = (event: EnsureEvent) => {
      if (event.type === "starting") starts.push(event);
    };
    const staying = await Promise.all(Array.from({ length: 4 }, () => scene.ensure()));
    const goesOn = timeOf(old, 9_000);
    const all = await Promise.all([
      stay(scene, before, goesOn),
      ...staying.map((drover) => stay(scene, drover, goesOn)),
      ...Array.from({ length: 5 }, () => comeAndGo(scene, driverProgram, goesOn, onEvent)),
      ...Array.from({ length: 10 }, () => delay(500).then(() => comeAndGo(scene, next.program, goesOn, onEvent))),
    ]);
    const instances = new Set(all.flat().map(({ instanceId }) => instanceId));
    expect(instances.size).toBe(2);
    // Nobody goes back, and in the end everybody is there.
    for (const seen of all) {
      const changes = seen.filter(({ instanceId }, index) => index > 0 && seen[index - 1]?.instanceId !== instanceId);
      expect(changes.length).toBeLessThanOrEqual(1);
      expect(seen.at(-1)?.instanceId).not.toBe(old);
    }
    await using drover = await scene.ensure();
    expect(oldVersion).not.toBe(newVersion);
    expect((await drover.driver()).version).toBe(newVersion);
    expect(starts.filter((event) => event.type === "starting" && event.replaces === old).length).toBeGreaterThan(0);
    await scene.check();
  });

  test("the newer one is not replaced by the older one when it was killed, only followed by it", async () => {
    await using scene = await FaultScene.open({ program: next.program });
    await using newer = await scene.ensure();
    await using older = await scene.ensure({ program: driverProgram });
    expect(older.instanceId).toBe(newer.instanceId);
    process.kill(await scene.pid(), "SIGKILL");
    expect(await sumIn(older, "before")).toBe(scene.sums.get("before"));
    // Whoever was first started it; the newer client has the last word.
    const version = async () => {
      await using again = await scene.ensure();
      return (await again.driver()).version;
    };
    // A client does not wait for a successor that takes long: a later one has it.
    await expect.poll(version).toBe(newVersion);
    await scene.check();
  });
});
