import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connect, count, type Drover } from "../../clients/node/src/index.ts";
import { eventsOf, runCli } from "../helpers/cli.ts";
import { startDriver, type TestDriver } from "../helpers/driver.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let driver: TestDriver;
let drover: Drover;
let tokenFile: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  driver = await startDriver();
  tokenFile = join(driver.dataDir, "token");
  drover = await connect({ address: driver.address, token: driver.token });
});
afterAll(async () => {
  await drover.close();
  await driver[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

const cli = (...args: readonly string[]) => runCli(["--address", driver.address, "--token-file", tokenFile, ...args]);

async function table(name: string, ...rows: readonly string[]): Promise<string> {
  const file = join(folder.path, `${name}.csv`);
  await writeFile(file, ["id,at,v", ...rows, ""].join("\n"));
  return file;
}

async function rowCount(name: string, options: { maxAgeMs?: number; allowStale?: boolean } = {}) {
  const query = drover.query(name, { measures: [count()], ...options });
  const [row] = await query.rows();
  return { rows: Number(row?.count), version: query.summary?.versions[name] };
}

describe("drover refresh", () => {
  it("adds what is new by the rule that the load has given", async () => {
    const file = await table("orders", "1,2024-01-01 10:00:00,1", "2,2024-01-01 11:00:00,2");
    const rule = ["--watermark", "at", "--overlap", "2h", "--key", "id"];
    expect(await cli("load", "orders", file, ...rule)).toMatchObject({ code: 0 });
    await table("orders", "2,2024-01-01 12:00:00,20", "3,2024-01-01 09:30:00,3", "4,2024-01-01 08:00:00,4");
    expect(await cli("refresh", "orders")).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("version 2, 3 rows"),
    });
    expect(await cli("refresh", "orders")).toMatchObject({ code: 0, stdout: "orders: nothing new, version 2 stays\n" });
    const { stdout } = await cli("describe", "orders");
    expect(stdout).toMatch(/increments +from the greatest at less 2h, key id/);
    expect(stdout).toMatch(/fresh +as of \d{4}-/);
    const full = await cli("--json", "refresh", "orders", "--full");
    expect(full.code).toBe(0);
    expect(eventsOf(full.stdout).at(-1)).toMatchObject({
      event: "completed",
      unchanged: false,
      dataset: { version: 3, rows: 3, increment: { watermark: "at", overlapMs: 7_200_000, keys: ["id"] } },
    });
    expect(await cli("rollback", "orders", "1")).toMatchObject({
      code: 0,
      stdout: "orders: version 4 with the 2 rows of version 1\n",
    });
    const { version } = await drover.dataset("orders");
    expect(version).toMatchObject({ number: 4, restoredFrom: 1 });
  });

  it("refuses what does not go together", async () => {
    for (const args of [["refresh"], ["refresh", "x", "--due"], ["refresh", "x", "--full", "--watermark", "at"]])
      expect(await cli(...args)).toMatchObject({ code: 2 });
    for (const args of [
      ["schedule", "x"],
      ["schedule", "x", "--every", "1m", "--off"],
      ["schedule", "x", "--off", "--zone", "UTC"],
    ])
      expect(await cli(...args)).toMatchObject({ code: 2 });
    expect(await cli("refresh", "nothing")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("DATASET_NOT_FOUND"),
    });
  });

  it("runs by itself when its schedule wants it, and says what came of it", async () => {
    const file = await table("ticking", "1,2024-01-01,1");
    await (await drover.load("ticking", { uri: file })).result();
    await table("ticking", "1,2024-01-01,1", "2,2024-01-02,2");
    const set = await cli("schedule", "ticking", "--every", "1s");
    expect(set).toMatchObject({ code: 0, stdout: expect.stringMatching(/^ticking: every 1s, next \d{4}-/) });
    await expect.poll(async () => (await drover.dataset("ticking")).version.rows, { timeout: 60_000 }).toBe(2);
    await rm(file);
    const refresh = async () => (await drover.dataset("ticking")).refresh;
    await expect.poll(async () => (await refresh())?.failures, { timeout: 60_000 }).toBe(1);
    const failed = await refresh();
    expect(failed?.lastError?.reason).toBe("SOURCE_NOT_FOUND");
    // It is tried again later than the schedule says.
    expect(failed?.nextTime?.getTime()).toBeGreaterThan(Date.now() + 20_000);
    expect((await cli("describe", "ticking")).stdout).toMatch(/failed +SOURCE_NOT_FOUND: there is no file/);
    expect(await cli("schedule", "ticking", "--off")).toMatchObject({ code: 0 });
    expect(await refresh()).toMatchObject({ schedule: undefined, nextTime: undefined });
  });

  it("takes cron expressions with a zone, and refuses those that it can't read", async () => {
    const file = await table("nightly", "1,2024-01-01,1");
    await (await drover.load("nightly", { uri: file })).result();
    const set = await cli("schedule", "nightly", "--cron", "30 2 * * *", "--zone", "Europe/Berlin");
    expect(set.stdout).toMatch(/^nightly: at 30 2 \* \* \* \(Europe\/Berlin\), next /);
    const next = (await drover.dataset("nightly")).refresh?.nextTime;
    const clock = new Intl.DateTimeFormat("de", { timeZone: "Europe/Berlin", hour: "2-digit", minute: "2-digit" });
    expect(clock.format(next)).toBe("02:30");
    for (const [cron, zone] of [
      ["61 * * * *", "UTC"],
      ["* * * * *", "Europe/Nowhere"],
      ["0 0 30 2 *", "UTC"],
    ] as const)
      await expect(drover.setSchedule("nightly", { cron, zone })).rejects.toMatchObject({ reason: "INVALID_SCHEDULE" });
    await expect(drover.setSchedule("nightly", { everyMs: 10 })).rejects.toMatchObject({ reason: "INVALID_SCHEDULE" });
  });
});

describe("a question", () => {
  it("waits for a refresh of what is older than it allows, with the refresh's progress", async () => {
    const file = await table("young", "1,2024-01-01,1");
    await (await drover.load("young", { uri: file })).result();
    await table("young", "1,2024-01-01,1", "2,2024-01-02,2");
    expect(await rowCount("young", { maxAgeMs: 3_600_000 })).toEqual({ rows: 1, version: 1 });
    const phases = new Set<string>();
    const asked = drover.sql("SELECT count(*) AS n FROM young", { maxAgeMs: 0 });
    for await (const event of asked) if (event.type === "progress") phases.add(event.progress.phase);
    expect([...phases].some((phase) => phase.startsWith("waiting for load"))).toBe(true);
    expect(asked.summary?.versions).toEqual({ young: 2 });
    expect(await rowCount("young", { maxAgeMs: 0 })).toEqual({ rows: 2, version: 3 });
  });

  it("gets what there is where it allows that, while the refresh runs", async () => {
    const file = await table("lazy", "1,2024-01-01,1");
    await (await drover.load("lazy", { uri: file })).result();
    await table("lazy", "1,2024-01-01,1", "2,2024-01-02,2");
    expect(await rowCount("lazy", { maxAgeMs: 0, allowStale: true })).toEqual({ rows: 1, version: 1 });
    await expect.poll(async () => (await drover.dataset("lazy")).version.number, { timeout: 60_000 }).toBe(2);
  });

  it("of every kind takes a version or an age, by the command too", async () => {
    const file = await table("kinds", "1,2024-01-01,1");
    await (await drover.load("kinds", { uri: file })).result();
    const write = (rows: number) =>
      table("kinds", ...Array.from({ length: rows }, (_, row) => `${row},2024-01-01,${row}`));
    await write(2);
    expect((await cli("query", "kinds", "--max-age", "0", "--json")).stdout).toContain('"rows":[["2"]]');
    await write(3);
    expect(JSON.parse((await cli("rows", "kinds", "--max-age", "0", "--json")).stdout)).toMatchObject({ version: 3 });
    await write(4);
    expect(JSON.parse((await cli("values", "kinds", "v", "--max-age", "0", "--json")).stdout).values).toHaveLength(4);
    await write(5);
    expect(JSON.parse((await cli("stats", "kinds", "--max-age", "0", "--json")).stdout)).toMatchObject({ rows: 5 });
    const sql = "SELECT count(*) AS n FROM kinds";
    const old = await cli("--json", "sql", sql, "--at-version", "kinds=3", "--max-age", "0");
    expect(old.stdout).toContain('"rows":[["3"]]');
    expect(await cli("sql", sql, "--at-version", "other=1")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("the SELECT reads no dataset of this name"),
    });
    expect(await cli("rows", "kinds", "--at-version", "3", "--max-age", "5m")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("a version is as old as it is"),
    });
    expect(await cli("query", "kinds", "--allow-stale")).toMatchObject({ code: 2 });
  });

  it("fails with the reason where the source can't be read any more, and not where it allows what there is", async () => {
    const file = await table("gone", "1,2024-01-01,1");
    await (await drover.load("gone", { uri: file })).result();
    await rm(file);
    await expect(rowCount("gone", { maxAgeMs: 0 })).rejects.toMatchObject({ reason: "SOURCE_NOT_FOUND" });
    expect(await rowCount("gone", { maxAgeMs: 0, allowStale: true })).toEqual({ rows: 1, version: 1 });
  });
});

describe("a driver that leaves schedules to the machine's timers", () => {
  it("refreshes what is due when it is told to, and says what failed", async () => {
    await using other = await startDriver({ config: "schedules = false\n" });
    await using client = await connect({ address: other.address, token: other.token });
    const run = (...args: readonly string[]) =>
      runCli(["--address", other.address, "--token-file", join(other.dataDir, "token"), ...args]);
    for (const name of ["good", "bad", "later"]) {
      await (await client.load(name, { uri: await table(name, "1,2024-01-01,1") })).result();
    }
    expect(await run("refresh", "--due")).toMatchObject({ code: 0, stdout: "nothing is due\n" });
    for (const name of ["good", "bad"]) await client.setSchedule(name, { everyMs: 1_000 });
    await client.setSchedule("later", { everyMs: 3_600_000 });
    await rm(join(folder.path, "bad.csv"));
    const isDue = async (name: string) => ((await client.dataset(name)).refresh?.nextTime?.getTime() ?? 0) < Date.now();
    await expect.poll(async () => (await isDue("good")) && (await isDue("bad")), { timeout: 30_000 }).toBe(true);
    // Nobody but the timer has looked at them.
    expect((await client.dataset("good")).version.number).toBe(1);
    const due = await run("refresh", "--due");
    expect(due).toMatchObject({ code: 1, stdout: "good: version 2\n" });
    expect(due.stderr).toContain("bad: SOURCE_NOT_FOUND");
    expect((await client.dataset("later")).version.number).toBe(1);
  });
});
