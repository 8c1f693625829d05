import { chmod, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connect, count, type Drover, DroverError, type Progress, sum, where } from "../../clients/node/src/index.ts";
import { runCli } from "../helpers/cli.ts";
import { startDriver, type TestDriver } from "../helpers/driver.ts";
import { type HeldFile, holdFile } from "../helpers/held-file.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";

const ROWS = 300_000;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let dataDir: string;
let drivers: readonly [TestDriver, TestDriver];
let one: Drover;
let two: Drover;
/** Held while a test needs its load to run. */
let source: HeldFile;

beforeAll(async () => {
  folder = await temporaryFolder();
  dataDir = join(folder.path, "data");
  const start = (profile: string) => startDriver({ dataDir, profile, config: "[pools.readers]\nsize = 1\n" });
  drivers = [await start("one"), await start("two")];
  one = await connect(drivers[0]);
  two = await connect(drivers[1]);
  const lines = Array.from({ length: ROWS }, (_, row) => `${row},some text of row ${row}`);
  source = await holdFile("slow.csv", `i,t\n${lines.join("\n")}\n`);
});

afterAll(async () => {
  await one?.close();
  await two?.close();
  for (const driver of drivers ?? []) await driver[Symbol.asyncDispose]();
  await source?.[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

async function failure(promise: Promise<unknown>): Promise<DroverError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(DroverError);
  return error as DroverError;
}

/** A query that is read to its end, and what it has told so far. */
interface Watched {
  readonly types: readonly string[];
  readonly waits: readonly Progress[];
  readonly rows: Promise<unknown>;
}

function watch(drover: Drover, dataset: string): Watched {
  const types: string[] = [];
  const waits: Progress[] = [];
  const read = async () => {
    let rows: unknown;
    for await (const event of drover.query(dataset, { measures: [count(), sum("i")] })) {
      if (types.at(-1) !== event.type) types.push(event.type);
      if (event.type === "progress" && event.progress.phase.startsWith("waiting")) waits.push(event.progress);
      if (event.type === "frame") rows = event.frame.rows;
    }
    return rows;
  };
  const rows = read();
  // Who looks at it may come later.
  rows.catch(() => undefined);
  return { types, waits, rows };
}

async function untilWaiting(asked: readonly Watched[]): Promise<void> {
  await expect.poll(() => asked.every(({ waits }) => waits.length > 0)).toBe(true);
}

const answer = [{ count: BigInt(ROWS), sum_i: BigInt((ROWS * (ROWS - 1)) / 2) }];

describe("a question to a dataset whose first load runs", { timeout: 120_000 }, () => {
  test("waits for it, in its own driver and in another one, shows its progress, and takes no place meanwhile", async () => {
    source.hold();
    const load = await one.load("first", { uri: source.uri });
    const asked = [watch(one, "first"), watch(two, "first")];
    const others = Promise.all([
      one.sql('SELECT max(i) AS m FROM "first"').rows(),
      two.values("first", "i", { limit: 1 }).next(),
      one.statistics("first", { columns: ["i"] }),
      two
        .rows("first", { limit: 1, columns: ["i"] })
        .pages()
        .next(),
      one.explainSql({ sql: 'SELECT i FROM "first"' }),
    ]);
    // Two of the questions are operations of the first driver, and its only place is free.
    const waiting = async () => {
      let questions = 0;
      for await (const { progress } of one.operations({ states: ["pending"], kinds: ["query"] }))
        if (progress?.phase.startsWith("waiting for load")) questions += 1;
      const { pools } = await one.driver();
      const { running, queued } = pools.find(({ name }) => name === "readers") ?? {};
      return { questions, running, queued };
    };
    await expect.poll(waiting).toEqual({ questions: 2, running: 0, queued: 0 });
    const far = () => asked.every(({ waits }) => waits.some(({ fraction = 0 }) => fraction > 0));
    await expect.poll(far).toBe(true);
    source.letGo();
    for (const { types, waits, rows } of asked) {
      expect(await rows).toEqual(answer);
      expect(types).toEqual(["accepted", "progress", "frame", "completed"]);
      expect(waits[0]?.phase).toContain(`waiting for load ${load.operationId}`);
    }
    const [max, value, statistics, page] = await others;
    expect(max).toEqual([{ m: BigInt(ROWS - 1) }]);
    expect(value.value).toMatchObject({ count: 1 });
    expect(statistics.rows).toBe(ROWS);
    expect(page.value?.rows).toHaveLength(1);
    expect((await load.result()).dataset.version.number).toBe(1);
    // Notes of progress go with their loads.
    const notes = async () =>
      (await readdir(join(dataDir, "work"), { recursive: true })).filter((name) => /loads\/./.test(name));
    await expect.poll(notes).toEqual([]);
  });

  test("stops only its waiting when it is cancelled or its time is up, and may ask not to wait", async () => {
    source.hold();
    const load = await one.load("second", { uri: source.uri });
    const cancelled = new AbortController();
    const leaving = failure(one.query("second", { measures: [count()] }, { signal: cancelled.signal }).rows());
    const late = failure(two.query("second", { measures: [count()] }, { timeoutMs: 50 }).rows());
    const refused = await failure(two.query("second", { measures: [count()] }, { noWait: true }).rows());
    expect(refused).toMatchObject({ reason: "DATASET_LOADING", metadata: { operation: load.operationId } });
    const command = await runCli(["query", "second", "--no-wait"], {
      env: { DROVER_DATA_DIR: dataDir, DROVER_PROFILE: "one" },
    });
    expect(command).toMatchObject({ code: 1, stderr: expect.stringContaining("DATASET_LOADING") });
    cancelled.abort();
    expect((await leaving).reason).toBe("CANCELLED");
    expect((await late).reason).toBe("DEADLINE_EXCEEDED");
    source.letGo();
    expect((await load.result()).dataset.version.rows).toBe(ROWS);
  });

  test("fails as the load fails", async () => {
    await using bad = await holdFile("bad.csv", "i,t\n1,text\n2,text\n1,2,3\n");
    const load = await one.load("third", { uri: bad.uri });
    const asked = [one, two].map((drover) => watch(drover, "third"));
    await untilWaiting(asked);
    bad.letGo();
    const [here, elsewhere] = await Promise.all(asked.map(({ rows }) => failure(rows)));
    for (const error of [here, elsewhere]) {
      expect(error).toMatchObject({
        reason: "RAGGED_ROWS",
        metadata: { dataset: "third", operation: load.operationId },
      });
      expect(error?.message).toContain(`the load "${load.operationId}" of "third" has failed`);
    }
    await failure(load.result());
  });

  test("tells whoever sees only a part of it neither how far its load is nor what is wrong, and others both", async () => {
    const lines = Array.from({ length: ROWS }, (_, row) => `${row},some text of row ${row}`);
    await using bad = await holdFile("bad.csv", `i,t\n${lines.join("\n")}\n1,secret,3\n`);
    const connectTo = async (name: string, dataset: string) => {
      const scope = { datasets: ["*"], rows: [{ dataset, where: where("i").greaterThan(0) }] };
      const { token } = await one.tokens.create({ name, role: "reader", scope });
      return connect({ address: drivers[0].address, token });
    };
    await using some = await connectTo("sees-a-part", "sixth");
    await using all = await connectTo("sees-a-part-of-another", "seventh");
    const load = await one.load("sixth", { uri: bad.uri });
    const [part, whole] = [some, all].map((drover) => watch(drover, "sixth"));
    await expect.poll(() => whole?.waits.some(({ fraction = 0, bytes }) => fraction > 0 && bytes > 0)).toBe(true);
    await untilWaiting(part ? [part] : []);
    bad.letGo();
    const [told, untold] = [
      await failure(whole?.rows ?? Promise.resolve()),
      await failure(part?.rows ?? Promise.resolve()),
    ];
    expect(told).toMatchObject({ reason: "RAGGED_ROWS", metadata: { dataset: "sixth", operation: load.operationId } });
    expect(told.message).toContain(load.operationId);
    expect(untold).toMatchObject({ reason: "RAGGED_ROWS", message: 'loading "sixth" failed' });
    expect(untold.metadata).toEqual({ dataset: "sixth" });
    for (const { fraction = 0, rows, bytes, totalBytes } of part?.waits ?? [])
      expect([fraction, rows, bytes, totalBytes].map(Number)).toEqual([0, 0, 0, 0]);
    await failure(load.result());
  });

  test("says that there is no such dataset when the load is cancelled, or none runs", async () => {
    source.hold();
    const load = await one.load("fourth", { uri: source.uri });
    const asked = [one, two].map((drover) => watch(drover, "fourth"));
    await untilWaiting(asked);
    await load.cancel();
    for (const { rows } of asked) expect((await failure(rows)).reason).toBe("DATASET_NOT_FOUND");
    expect((await failure(one.query("fifth", { measures: [count()] }).rows())).reason).toBe("DATASET_NOT_FOUND");
  });
});

describe("a version whose files are lost", { timeout: 120_000 }, () => {
  async function versions(dataset: string): Promise<number[]> {
    const numbers: number[] = [];
    for await (const { number } of one.versions(dataset)) numbers.push(number);
    return numbers;
  }

  async function loads(dataset: string): Promise<number> {
    let loads = 0;
    for (const drover of [one, two])
      for await (const { id } of drover.operations({ kinds: ["load"], dataset })) loads += id === "" ? 0 : 1;
    return loads;
  }

  /** The folders of a dataset's versions; the text of its source tells it. */
  async function folders(text: string): Promise<string[]> {
    const found: string[] = [];
    const root = join(dataDir, "datasets");
    for (const path of await readdir(root, { recursive: true })) {
      if (!path.endsWith("manifest.json")) continue;
      const manifest = await readFile(join(root, path), "utf8");
      if (manifest.includes(text)) found.push(join(root, path, ".."));
    }
    return found;
  }

  test("is loaded again once, whoever asks, and the questions wait with its progress", async () => {
    source.letGo();
    await (await one.load("lost", { uri: source.uri, options: { badRows: "fail" } })).result();
    await one.setStorageLevel("lost", "disk");
    const before = await loads("lost");
    const [version] = await folders('"name":"lost"');
    for (const name of await readdir(version ?? "")) if (name.endsWith(".parquet")) await rm(join(version ?? "", name));
    source.hold();
    const asked = [watch(one, "lost"), watch(two, "lost"), watch(one, "lost")];
    await untilWaiting(asked);
    source.letGo();
    for (const { types, waits, rows } of asked) {
      expect(await rows).toEqual(answer);
      expect(types).toEqual(["accepted", "progress", "frame", "completed"]);
      expect(waits[0]?.phase).toMatch(/^waiting for load /);
    }
    expect((await one.dataset("lost")).version.number).toBe(2);
    expect(await loads("lost")).toBeLessThanOrEqual(before + 2);
    expect(await versions("lost")).toContain(2);
  });

  test("is loaded again also where its whole folder is gone", async () => {
    const small = join(folder.path, "small.csv");
    await writeFile(small, "i\n1\n2\n");
    await (await one.load("gone", { uri: small })).result();
    const [version] = await folders('"name":"gone"');
    await rm(version ?? "", { recursive: true });
    expect(await two.query("gone", { measures: [sum("i")] }).rows()).toEqual([{ sum_i: 3n }]);
  });

  test("is loaded again where its content is damaged, and is not stood in for by an older one", async () => {
    const source = join(folder.path, "damaged.csv");
    // Numbers that no encoding makes small.
    const numbers: number[] = [];
    for (let seed = 1; numbers.length < 50_000; numbers.push(seed)) seed = (seed * 48_271) % 2_147_483_647;
    const write = (last: number) => writeFile(source, `i\n${numbers.join("\n")}\n${last}\n`);
    const total = (last: number) => [{ sum_i: BigInt(numbers.reduce((one, other) => one + other, last)) }];
    const asked = (drover: Drover) => drover.query("damaged", { measures: [sum("i")] }).rows();
    for (const last of [1_000_001, 1_000_002]) {
      await write(last);
      await (await one.load("damaged", { uri: source })).result();
    }
    await one.setStorageLevel("damaged", "disk");
    const current = (await folders('"name":"damaged"')).find((path) => resolve(path).endsWith("/2")) ?? "";
    const [segment = ""] = (await readdir(current)).filter((name) => name.endsWith(".parquet"));
    await chmod(join(current, segment), 0o644);
    const content = await readFile(join(current, segment));
    await writeFile(join(current, segment), content.fill(0xaa, 1_000, content.length >> 1));
    expect(await asked(one)).toEqual(total(1_000_002));
    expect((await one.dataset("damaged")).version.number).toBe(3);

    const newest = (await folders('"name":"damaged"')).find((path) => resolve(path).endsWith("/3")) ?? "";
    await rm(resolve(newest), { recursive: true });
    expect(await asked(two)).toEqual(total(1_000_002));
    expect(await asked(one)).toEqual(total(1_000_002));
    expect(await versions("damaged")).toEqual([4, 2, 1]);
  });

  test("stays lost, with both reasons, where its source can't be read any more", async () => {
    const small = join(folder.path, "passing.csv");
    await writeFile(small, "i\n1\n");
    await (await one.load("passing", { uri: small })).result();
    await one.setStorageLevel("passing", "disk");
    await rm(small);
    const [version] = await folders('"name":"passing"');
    for (const name of await readdir(version ?? "")) if (name.endsWith(".parquet")) await rm(join(version ?? "", name));
    for (let round = 0; round < 3; round++) {
      const error = await failure(one.query("passing", { measures: [count()] }).rows());
      expect(error).toMatchObject({ reason: "VERSION_DAMAGED", metadata: { rebuildReason: "SOURCE_NOT_FOUND" } });
      expect(error.message).toContain("it can't be loaded again: SOURCE_NOT_FOUND");
    }
    expect(await loads("passing")).toBe(2);
    const error = await failure(one.query("passing", { measures: [count()] }, { noWait: true }).rows());
    expect(error).toMatchObject({ reason: "VERSION_DAMAGED" });
  });
});
