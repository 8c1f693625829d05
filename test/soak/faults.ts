import { rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { DroverError } from "../../clients/node/src/index.ts";
import { type DieAt, startClient } from "../helpers/client-process.ts";
import { sendSignal } from "../helpers/driver-processes.ts";
import { type FaultScene, sumIn, sumOf, withinDeadline } from "../helpers/fault-scene.ts";
import { driverWithFault } from "../helpers/preloaded-driver.ts";
import type { Random } from "./random.ts";
import type { Users } from "./users.ts";

/** Where faults happen. */
export interface FaultPlace {
  readonly scene: FaultScene;
  readonly users: Users;
  readonly random: Random;
  readonly driverFile: string;
  /** Remembers what was done, for the report of a failure. */
  readonly note: (what: string) => void;
}

export interface Fault {
  readonly name: string;
  /** How often it comes, against the others. */
  readonly weight: number;
  /** Answers what is to be looked at once everything that happens in the same round is over. */
  run(place: FaultPlace): Promise<(() => Promise<void>) | void>;
}

let serial = 0;

/** Whatever has become of it: it may have lost its driver on the way. */
async function forgiving(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof DroverError)) throw error;
  }
}

async function signalDrivers({ scene, note }: FaultPlace, signal: NodeJS.Signals): Promise<void> {
  for (const pid of await scene.processes()) {
    note(`${signal} to ${pid}`);
    sendSignal(pid, signal);
  }
}

/** What datasets may answer after the loads of this round. */
const possible = new Map<string, Set<number>>();

/** A dataset is replaced while something else happens. It has the old content or the new one afterwards. */
async function loadWhile({ scene, random }: FaultPlace, other: () => Promise<unknown>): Promise<() => Promise<void>> {
  const name = `data${random.below(3)}`;
  const rows = 1 + random.below(200_000);
  const sums = possible.get(name) ?? new Set(scene.sums.has(name) ? [scene.sums.get(name) ?? 0] : []);
  possible.set(name, sums.add(sumOf(rows)));
  const wasThere = scene.sums.has(name);
  const uri = await scene.source(`${name}-${serial++}`, rows);
  await forgiving(async () => {
    await using drover = await scene.ensure();
    const load = drover.load(name, { uri }, { timeoutMs: 30_000 }).then((loading) => loading.result());
    await Promise.all([forgiving(() => withinDeadline(load, 60_000, "a load")), other()]);
  });
  await rm(uri, { force: true });
  return async () => {
    await using again = await scene.ensureAfterwards();
    const there = new Set<string>();
    for await (const dataset of again.datasets()) there.add(dataset.name);
    possible.delete(name);
    if (!there.has(name)) {
      if (wasThere) throw new Error(`the dataset ${name} is gone`);
      return;
    }
    const sum = await sumIn(again, name);
    if (!sums.has(sum)) throw new Error(`the dataset ${name} sums up to ${sum} instead of one of ${[...sums]}`);
    scene.sums.set(name, sum);
  };
}

const spoilings: readonly [string, ...string[]] = ["removed", "cut", "garbage", "newer"];

export const faults: readonly [Fault, ...Fault[]] = [
  {
    name: "kill the driver",
    weight: 5,
    run: async (place) => {
      await delay(place.random.below(300));
      await signalDrivers(place, "SIGKILL");
    },
  },
  {
    name: "kill the drivers again and again",
    weight: 2,
    run: async (place) => {
      for (let left = 2 + place.random.below(4); left > 0; left--) {
        await signalDrivers(place, "SIGKILL");
        await delay(place.random.below(700));
      }
    },
  },
  {
    name: "stop the driver for a while",
    weight: 2,
    run: async (place) => {
      const pids = await place.scene.processes();
      for (const pid of pids) sendSignal(pid, "SIGSTOP");
      await delay(place.random.below(2_000));
      for (const pid of pids) sendSignal(pid, "SIGCONT");
    },
  },
  {
    name: "stop the driver for good",
    weight: 1,
    run: (place) => signalDrivers(place, "SIGSTOP"),
  },
  {
    name: "spoil the address file",
    weight: 3,
    run: async ({ scene: { addressFile }, random, note }) => {
      const how = random.pick(spoilings);
      note(how);
      if (how === "removed") await rm(addressFile, { force: true });
      else if (how === "cut") await truncate(addressFile, random.below(200)).catch(() => {});
      else await writeFile(addressFile, how === "newer" ? '{"formatVersion": 2}' : "\u0000\u0001garbage");
    },
  },
  {
    name: "spoil what is known of the latest starts",
    weight: 1,
    run: async ({ scene: { dataDirectory }, random }) => {
      const garbage = random.pick(["", "{", '{"formatVersion":1,"failures":"many","lastStart":null}', "[]"]);
      await writeFile(join(dataDirectory, "drivers", "default.starts.json"), garbage);
    },
  },
  {
    name: "change the profile",
    weight: 3,
    run: async ({ scene, random }) => {
      await scene.configure(`threads = ${1 + random.below(2)}\n# ${serial++}\n`);
      if (random.chance(0.5)) await forgiving(async () => (await scene.ensure()).close());
    },
  },
  {
    name: "drain or stop",
    weight: 3,
    run: async ({ scene, random, note }) => {
      const drains = random.chance(0.5);
      note(drains ? "drain" : "stop");
      await forgiving(async () => {
        await using drover = await scene.ensure();
        await (drains ? drover.drain({ timeoutMs: random.below(2_000) }) : drover.stop());
      });
    },
  },
  {
    name: "kill a client",
    weight: 2,
    run: async ({ users, random }) => {
      users.process(random.below(2))?.kill("SIGKILL");
    },
  },
  {
    name: "kill a client while it starts a driver",
    weight: 3,
    run: async (place) => {
      const { scene, users, random, note } = place;
      const moments: readonly [DieAt, ...DieAt[]] = [
        "starting",
        "spawned",
        "configuration",
        "catalog",
        "engine",
        "serving",
      ];
      const dieAt = random.pick(moments);
      note(`at ${dieAt}`);
      await using client = await startClient(users.program);
      const ensured = client.tell({ do: "ensure", options: scene.options, timeoutMs: 20_000, dieAt });
      await signalDrivers(place, "SIGKILL");
      await withinDeadline(ensured, 20_000, "a client");
    },
  },
  {
    name: "a start that goes wrong",
    weight: 3,
    run: async (place) => {
      const { scene, random, driverFile, note } = place;
      const phase = random.pick(["configuration", "catalog", "engine", "serving"]);
      const act = random.pick(["kill", "stop"]);
      note(`${act} in ${phase}`);
      const program = await driverWithFault({ folder: scene.dataDirectory, driverFile }, { phase, act });
      await signalDrivers(place, "SIGKILL");
      const phaseTimeoutsMs = { configuration: 700, catalog: 700, engine: 700, serving: 700 };
      await forgiving(async () => (await scene.ensure({ program, phaseTimeoutsMs }, 20_000)).close());
    },
  },
  {
    name: "many clients at once",
    weight: 2,
    run: async (place) => {
      const { scene, random } = place;
      if (random.chance(0.7)) await signalDrivers(place, "SIGKILL");
      const come = async () => {
        await delay(random.below(300));
        await forgiving(async () => (await scene.ensure()).close());
      };
      await Promise.all(Array.from({ length: 5 + random.below(15) }, come));
    },
  },
  {
    name: "kill the driver in a load",
    weight: 3,
    run: (place) =>
      loadWhile(place, async () => {
        await delay(place.random.below(400));
        await signalDrivers(place, "SIGKILL");
      }),
  },
  {
    name: "drain in a load",
    weight: 1,
    run: (place) =>
      loadWhile(place, async () => {
        await delay(place.random.below(400));
        await forgiving(async () => {
          await using drover = await place.scene.ensure();
          await drover.drain({ timeoutMs: place.random.below(3_000) });
        });
      }),
  },
];
