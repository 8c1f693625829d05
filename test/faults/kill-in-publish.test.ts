import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { setTimeout } from "node:timers/promises";
import fc from "fast-check";
import { expect, it } from "vitest";
import { datasetsFolder, stagingFolder, trashFolder } from "../../src/datasets/layout.ts";
import { bundleProgram } from "../helpers/bundled-program.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";
import { openParts, type Parts } from "./programs/open-parts.ts";
import { isAsWritten } from "./programs/raw-segments.ts";

const { signal } = new AbortController();
const NAMES = ["a", "b", "ü 🛫"];

interface Step {
  readonly step: "staged" | "publishing" | "published" | "deleting" | "deleted";
  readonly name: string;
  readonly version: number;
}

/** Runs the program until some step, a moment longer, and kills it; answers all that it said. */
async function runAndKill(
  program: string,
  dataDirectory: string,
  { steps, delayMs }: { steps: number; delayMs: number },
): Promise<Step[]> {
  const child = spawn(process.execPath, [program, dataDirectory, NAMES.join(",")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exit = once(child, "exit");
  const said: Step[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    said.push(JSON.parse(line));
    if (said.length !== steps) continue;
    await setTimeout(delayMs);
    child.kill("SIGKILL");
  }
  expect((await exit)[1]).toBe("SIGKILL");
  return said;
}

/** Every version that is there is there byte by byte. */
async function expectWholeVersions({ store, events }: Parts): Promise<void> {
  for (const { name } of store.list({ labels: {} })) {
    for (const { number, segments, lineage } of await store.versions(name)) {
      await using pinned = await store.pin(name, number, { signal });
      for (const [index, path] of pinned.segmentPaths.entries()) {
        const file = String(segments[index]?.file);
        expect(await isAsWritten(path, file, lineage.options), `${name} ${number} ${file}`).toBe(true);
      }
    }
  }
  expect(events.filter(({ type }) => type === "damaged" || type === "cleanupFailed")).toEqual([]);
}

/** What the dead process has said it did is done; what it was about to do is done or not. */
function expectPromisesKept({ store }: Parts, said: readonly Step[]): void {
  for (const name of NAMES) {
    const own = said.filter((step) => step.name === name);
    const last = own.findLast(({ step }) => step === "published" || step === "deleted" || step === "deleting");
    const current = store.list({ labels: {} }).find((info) => info.name === name)?.current.number;
    if (last?.step === "published") expect(current, name).toBeGreaterThanOrEqual(last.version);
    if (last?.step === "deleted") expect(current ?? 1, name).toBe(1);
  }
}

async function expectNothingLeft(dataDirectory: string, { instanceId }: Parts): Promise<void> {
  const owners = await readdir(stagingFolder(dataDirectory));
  expect(owners.filter((owner) => owner !== instanceId)).toEqual([]);
  await expect.poll(() => readdir(trashFolder(dataDirectory))).toEqual([]);
  expect(await readdir(join(dataDirectory, "instances"))).toEqual([`${instanceId}.lock`]);
  for (const uid of await readdir(datasetsFolder(dataDirectory))) {
    expect(existsSync(join(datasetsFolder(dataDirectory), uid, "DELETED"))).toBe(false);
  }
}

function expectNoneRunning(dataDirectory: string): void {
  using database = new DatabaseSync(join(dataDirectory, "catalog.sqlite"), { readOnly: true });
  const unfinished = database.prepare("SELECT id, state FROM operations WHERE end_time IS NULL").all();
  expect(unfinished).toEqual([]);
}

it("leaves whole versions, no staging and no running operation, whenever the process is killed", async () => {
  const rounds = 25;
  await using place = await temporaryFolder();
  const program = await bundleProgram("endless-loads", place.path);
  const property = fc.asyncProperty(
    fc.array(fc.record({ steps: fc.integer({ min: 1, max: 40 }), delayMs: fc.integer({ min: 0, max: 12 }) }), {
      minLength: rounds,
      maxLength: rounds,
    }),
    async (kills) => {
      await using folder = await temporaryFolder();
      let lost = 0;
      for (const kill of kills) {
        const said = await runAndKill(program, folder.path, kill);
        await using parts = await openParts(folder.path);
        await parts.operations.recover();
        await expectWholeVersions(parts);
        expectPromisesKept(parts, said);
        await expectNothingLeft(folder.path, parts);
        expectNoneRunning(folder.path);
        const filter = { pageSize: 1000, pageToken: "", kinds: [], labels: {}, dataset: "" };
        lost = parts.operations.list({ ...filter, states: ["lost"] }).operations.length;
      }
      console.log(`killed ${rounds} times; ${lost} operations were lost`);
    },
  );
  const seed = Number(process.env.DROVER_TEST_SEED ?? Date.now() % 2 ** 31);
  console.log(`seed ${seed} (DROVER_TEST_SEED)`);
  // One run of many rounds: each round starts from what the round before has left.
  await fc.assert(property, { seed, numRuns: 1, endOnFailure: true });
});
