import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import fc from "fast-check";
import { expect, it, vi } from "vitest";
import type { TestDriver } from "../helpers/driver.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";
import { call, load, startOn, sum, writeSource } from "../helpers/two-drivers.ts";

const ROUNDS = 60;
const NAMES = ["a", "b"];
const GONE = "DATASET_NOT_FOUND";
const DONE = "OPERATION_STATE_SUCCEEDED";
/** What nobody may ever see: not even a reader of a dataset that is deleted or replaced under its hands. */
const NEVER = /VERSION_DAMAGED|INTERNAL|VERSION_NOT_FOUND|internal/;

const round = fc.record({
  act: fc.constantFrom("load", "load", "loadSame", "loadOther", "delete", "read", "killLoader", "kill", "stop"),
  name: fc.constantFrom(...NAMES),
  where: fc.nat({ max: 1 }),
  delayMs: fc.nat({ max: 300 }),
});

/** Two drivers on a data directory; either is started again when it has ended. */
class Pair implements AsyncDisposable {
  readonly #dataDir: string;
  readonly #drivers: TestDriver[] = [];

  private constructor(dataDir: string) {
    this.#dataDir = dataDir;
  }

  static async start(dataDir: string): Promise<Pair> {
    const pair = new Pair(dataDir);
    for (const where of [0, 1]) await pair.restart(where);
    return pair;
  }

  at(where: number): TestDriver {
    return this.#drivers[where] as TestDriver;
  }

  async restart(where: number, signal?: NodeJS.Signals): Promise<void> {
    await this.#drivers[where]?.stop(signal);
    this.#drivers[where] = await startOn(this.#dataDir, `profile-${where}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const driver of this.#drivers) await driver[Symbol.asyncDispose]();
  }
}

/** Reads on and on from both drivers, as dashboards do, until it is disposed. */
function readAllTheTime(pair: Pair): AsyncDisposable & { readonly answers: readonly string[] } {
  const answers: string[] = [];
  let going = true;
  const read = async (where: number) => {
    for (let turn = 0; going; turn++) {
      // A driver that is killed answers nobody.
      const answer = await sum(pair.at(where), NAMES[turn % 2] as string).catch(() => undefined);
      if (answer !== undefined) answers.push(answer);
      await setTimeout(5);
    }
  };
  const reading = Promise.all([read(0), read(1)]);
  return {
    answers,
    [Symbol.asyncDispose]: async () => {
      going = false;
      await reading;
    },
  };
}

it("loses and damages nothing, whatever two drivers do at once, and whichever is killed", async () => {
  const property = fc.asyncProperty(fc.array(round, { minLength: ROUNDS, maxLength: ROUNDS }), async (rounds) => {
    await using folder = await temporaryFolder();
    const dataDir = join(folder.path, "data");
    await using pair = await Pair.start(dataDir);
    const reading = readAllTheTime(pair);
    // What a reader may find; several where a kill has left it open.
    const possible = new Map<string, readonly string[]>(NAMES.map((name) => [name, [GONE]]));
    let value = 0;
    for (const { act, name, where, delayMs } of rounds) {
      const [here, there] = [pair.at(where), pair.at(1 - where)];
      const uri = await writeSource(folder.path, ++value, act === "killLoader" ? 100_000 : 1);
      const before = possible.get(name) ?? [];
      if (act === "load") {
        expect(await load(here, name, uri)).toBe(DONE);
        possible.set(name, [String(value)]);
      }
      if (act === "loadSame") {
        expect(await Promise.all([load(here, name, uri), load(there, name, uri)])).toEqual([DONE, DONE]);
        possible.set(name, [String(value)]);
      }
      if (act === "loadOther") {
        const other = await writeSource(folder.path, ++value);
        const [one, two] = await Promise.all([load(here, name, uri), load(there, name, other)]);
        for (const end of [one, two]) expect([DONE, "LOAD_CONFLICT", "OPERATION_STATE_FAILED"]).toContain(end);
        const loaded = [...(one === DONE ? [value - 1] : []), ...(two === DONE ? [value] : [])].map(String);
        expect(loaded.length).toBeGreaterThan(0);
        possible.set(name, loaded);
      }
      if (act === "delete") {
        const { failure } = await call(here, "DatasetService/DeleteDataset", { dataset: name });
        if (!before.includes(GONE)) expect(failure).toBeUndefined();
        else if (failure) expect(failure.reason).toBe(GONE);
        possible.set(name, [GONE]);
      }
      if (act === "killLoader") {
        const loading = load(here, name, uri).catch(() => "killed");
        await setTimeout(delayMs);
        await pair.restart(where, "SIGKILL");
        possible.set(name, (await loading) === DONE ? [String(value)] : [...before, String(value)]);
      }
      if (act === "kill") await pair.restart(where, "SIGKILL");
      if (act === "stop") await pair.restart(where);
      const found = await Promise.all([0, 1].map((each) => sum(pair.at(each), name)));
      expect(found[0]).toBe(found[1]);
      expect(possible.get(name)).toContain(found[0]);
      possible.set(name, [String(found[0])]);
    }
    await reading[Symbol.asyncDispose]();
    expect(reading.answers.filter((answer) => NEVER.test(answer))).toEqual([]);
    expect(reading.answers.length).toBeGreaterThan(0);
    await expectTidy(dataDir, [...possible.values()].filter(([found]) => found !== GONE).length);
    for (const where of [0, 1]) expect(pair.at(where).log()).not.toMatch(/"level":"error"/);
    console.log(`${reading.answers.length} answers to readers in ${rounds.length} rounds`);
  });
  const seed = Number(process.env.DROVER_TEST_SEED ?? Date.now() % 2 ** 31);
  console.log(`seed ${seed} (DROVER_TEST_SEED)`);
  await fc.assert(property, { seed, numRuns: 1, endOnFailure: true });
}, 600_000);

/** One version of each dataset is left, and nothing that was on its way in or out. */
async function expectTidy(dataDir: string, datasets: number): Promise<void> {
  const tidy = async () => {
    const paths = await readdir(join(dataDir, "datasets"), { recursive: true });
    const loads = await readdir(join(dataDir, "staging"), { recursive: true });
    return {
      versions: paths.filter((path) => /versions\/\d+$/.test(path)).length,
      deleted: paths.filter((path) => path.endsWith("DELETED")).length,
      trash: (await readdir(join(dataDir, "trash"))).length,
      staged: loads.filter((path) => path.includes("/")).length,
    };
  };
  const expected = { versions: datasets, deleted: 0, trash: 0, staged: 0 };
  await vi.waitFor(async () => expect(await tidy()).toEqual(expected), { timeout: 60_000, interval: 200 });
}
