import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { connect, count, type DriverEvent, type Drover } from "../../clients/node/src/index.ts";
import { runCli } from "../helpers/cli.ts";
import { startDriver, type TestDriver } from "../helpers/driver.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";

const soon = { timeout: 30_000, interval: 50 };
// Random numbers take their 8 bytes in memory: about 1.6 MB for each dataset, so that one has room in the one driver, two in the other.
const ROWS = 200_000;
const budgets = { small: "3MB", large: "5MB" };

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let drivers: Record<keyof typeof budgets, TestDriver>;
let small: Drover;
let large: Drover;
const events: DriverEvent[] = [];
const watching = new AbortController();
let watched: Promise<void>;

beforeAll(async () => {
  folder = await temporaryFolder();
  const dataDir = join(folder.path, "data");
  const start = (profile: keyof typeof budgets) =>
    startDriver({ dataDir, profile, config: `[residency]\nbudget = "${budgets[profile]}"\n` });
  drivers = { small: await start("small"), large: await start("large") };
  small = await connect(drivers.small);
  large = await connect(drivers.large);
  watched = (async () => {
    for await (const event of small.events({ signal: watching.signal })) events.push(event);
  })().catch(() => undefined);
  await vi.waitFor(() => expect(events).toContainEqual(expect.objectContaining({ type: "attached" })), soon);
  let seed = 1;
  const next = () => {
    seed = (seed * 48271) % 2147483647;
    return seed;
  };
  for (const name of ["a", "b"]) {
    const file = join(folder.path, `${name}.csv`);
    await writeFile(file, `i\n${Array.from({ length: ROWS }, () => next() * 4_000_000_007).join("\n")}\n`);
    await (await large.load(name, { uri: file })).result();
  }
});

afterAll(async () => {
  watching.abort();
  await watched;
  await small?.close();
  await large?.close();
  await drivers?.small[Symbol.asyncDispose]();
  await drivers?.large[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

async function cli(profile: keyof typeof budgets, ...args: string[]) {
  return runCli(args, { env: { DROVER_DATA_DIR: drivers[profile].dataDir, DROVER_PROFILE: profile } });
}

describe("storage levels", { timeout: 120_000 }, () => {
  test("pin a dataset by the command, show it everywhere, and evict others with a reason", async () => {
    await small.query("b", { measures: [count()] }).rows();
    await vi.waitFor(async () => expect(await small.dataset("b")).toMatchObject({ resident: true }), soon);
    const pinned = await cli("small", "level", "a", "pinned");
    expect(pinned).toMatchObject({ code: 0, stderr: "" });
    expect(pinned.stdout).toMatch(/^a: pinned, [\d.]+ MB in memory, [\d.]+ [kM]B on disk\n$/);
    expect(await small.dataset("a")).toMatchObject({ storageLevel: "pinned", resident: true, storageLevelProblem: "" });
    expect(await small.dataset("b")).toMatchObject({ storageLevel: "memory", resident: false });
    await vi.waitFor(
      () =>
        expect(events).toContainEqual(
          expect.objectContaining({ type: "datasetEvicted", dataset: "b", version: 1, reason: "budget" }),
        ),
      soon,
    );
    await expect
      .poll(() => drivers.small.log())
      .toMatch(/"a version left memory"[^\n]*"dataset":"b"[^\n]*"reason":"budget"/);
    const { address, token } = drivers.small;
    const scraped = await fetch(`http://${address}/metrics`, { headers: { authorization: `Bearer ${token}` } });
    const metrics = await scraped.text();
    expect(metrics).toMatch(/drover_evictions_total\{reason="budget"\} 1\n/);
    expect(metrics).toMatch(/drover_pinned_bytes [1-9]/);
    expect((await cli("small", "datasets")).stdout).toMatch(/^a .* pinned /m);
    expect((await cli("small", "describe", "a")).stdout).toMatch(/level\s+pinned/);
  });

  test("refuse what has no room, with the bytes needed and free", async () => {
    const refused = await cli("small", "level", "b", "pinned");
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(
      /^drover: PIN_REFUSED: version 1 of "b" needs \d+ bytes of memory; \d+ of the 3000000/,
    );
    expect(await small.dataset("b")).toMatchObject({ storageLevel: "memory" });
  });

  test("hold in every driver, as far as its own budget allows, and say where it does not", async () => {
    await vi.waitFor(async () => expect(await large.dataset("a")).toMatchObject({ resident: true }), soon);
    expect(await large.setStorageLevel("b", "pinned")).toMatchObject({ storageLevel: "pinned", resident: true });
    await vi.waitFor(
      async () =>
        expect(await small.dataset("b")).toMatchObject({
          storageLevel: "pinned",
          resident: false,
          storageLevelProblem: expect.stringMatching(/needs \d+ bytes/),
        }),
      soon,
    );
    const pinRefused = expect.objectContaining({ type: "datasetPinRefused", dataset: "b", version: 1 });
    await expect.poll(() => events).toContainEqual(pinRefused);
    // It answers all the same.
    expect(await small.query("b", { measures: [count()] }).rows()).toMatchObject({ length: 1 });

    const onDisk = await cli("large", "--json", "level", "a", "disk");
    expect(JSON.parse(onDisk.stdout)).toMatchObject({ dataset: { storageLevel: "disk", resident: false } });
    await vi.waitFor(async () => expect(await small.dataset("a")).toMatchObject({ resident: false }), soon);
    // A query may have brought it in before it is pinned.
    await vi.waitFor(
      async () => expect(await small.dataset("b")).toMatchObject({ resident: true, storageLevelProblem: "" }),
      soon,
    );
  });

  test("are one of three words", async () => {
    expect(await cli("small", "level", "a", "tape")).toMatchObject({ code: 2 });
    await expect(small.setStorageLevel("nothing", "disk")).rejects.toMatchObject({ reason: "DATASET_NOT_FOUND" });
  });
});
