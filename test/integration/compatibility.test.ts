import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cp, readdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { claimInstance } from "../../src/catalog/instance.ts";
import { datasetsAndOperations } from "../../src/catalog/migrations/0001-datasets-and-operations.ts";
import { catalogVersion } from "../../src/catalog/migrations/migrate.ts";
import { runMain } from "../helpers/driver.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";
import { call, end, load, operation, startLoad, startOn, sum, writeSource } from "../helpers/two-drivers.ts";

const DONE = "OPERATION_STATE_SUCCEEDED";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let dataDir: string;

beforeEach(async () => {
  folder = await temporaryFolder();
  dataDir = join(folder.path, "data");
});

afterEach(() => folder[Symbol.asyncDispose]());

function openCatalog(): DatabaseSync {
  return new DatabaseSync(join(dataDir, "catalog.sqlite"), { timeout: 30_000 });
}

/** Every file below a folder with its content, mode and time of change. */
async function everyFile(path: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const name of (await readdir(path, { recursive: true })).sort()) {
    const file = join(path, name);
    const found = await stat(file);
    const content = found.isFile()
      ? createHash("sha256")
          .update(await readFile(file))
          .digest("hex")
      : "folder";
    files[name] = `${content} ${found.mode} ${found.mtimeMs}`;
  }
  return files;
}

/** Leaves a data directory with the dataset `a` behind, as a driver that stopped, or was killed, has. */
async function leaveData(signal?: NodeJS.Signals): Promise<void> {
  const driver = await startOn(dataDir, "default");
  try {
    expect(await load(driver, "a", await writeSource(folder.path, 1))).toBe(DONE);
  } finally {
    await driver.stop(signal);
    await driver[Symbol.asyncDispose]();
  }
}

/** What the next release's driver, or the one after it, does to the catalog when it starts. */
function bringToNextFormat(compatibleFrom: number): void {
  using database = openCatalog();
  database.exec(`
    BEGIN IMMEDIATE;
    CREATE TABLE tomorrow (id TEXT PRIMARY KEY, what TEXT NOT NULL) STRICT;
    ALTER TABLE datasets ADD COLUMN owner TEXT NOT NULL DEFAULT 'nobody';
    ALTER TABLE operations ADD COLUMN cost INTEGER;
    ALTER TABLE loads ADD COLUMN worker TEXT NOT NULL DEFAULT '';
    UPDATE catalog_format SET compatible_from = ${compatibleFrom};
    PRAGMA user_version = ${catalogVersion + 1};
    COMMIT`);
}

describe("a catalog of the next format", () => {
  test("that only adds to this one is worked with, and stays what it is", async () => {
    await leaveData();
    bringToNextFormat(1);
    await using driver = await startOn(dataDir, "default");
    expect(await sum(driver, "a")).toBe("1");
    expect(await load(driver, "a", await writeSource(folder.path, 2))).toBe(DONE);
    expect(await load(driver, "b", await writeSource(folder.path, 3))).toBe(DONE);
    await call(driver, "DatasetService/DeleteDataset", { dataset: "a" });
    expect(await call(driver, "DatasetService/ListDatasets", {})).toMatchObject({ datasets: [{ name: "b" }] });
    const { operations } = (await call(driver, "OperationService/ListOperations", {
      kinds: ["OPERATION_KIND_LOAD"],
    })) as unknown as { operations: readonly { readonly dataset: string }[] };
    expect(operations.map(({ dataset }) => dataset)).toEqual(["b", "a", "a"]);
    await driver.stop();
    using database = openCatalog();
    expect(database.prepare("PRAGMA user_version").get()).toEqual({ user_version: catalogVersion + 1 });
    expect(database.prepare("SELECT name, owner FROM datasets").all()).toEqual([{ name: "b", owner: "nobody" }]);
  });

  test("that takes away what this one needs is refused, and nothing in the data directory changes", async () => {
    await leaveData();
    bringToNextFormat(catalogVersion + 1);
    const before = await everyFile(dataDir);
    const { code, stderr } = await runMain(["serve", "--data-dir", dataDir, "--listen", "127.0.0.1:0"]);
    expect(code).toBe(1);
    expect(stderr).toContain("DATA_DIRECTORY_NEWER");
    expect(stderr).toContain(`has format ${catalogVersion + 1}; this driver knows ${catalogVersion} at most`);
    expect(await everyFile(dataDir)).toEqual(before);
  });

  test("is refused the same when its driver was killed, so that the format stands in the log only", async () => {
    await leaveData();
    // Killed, so that nothing of the log reaches the main file.
    const script = `
      const { DatabaseSync } = require("node:sqlite");
      const database = new DatabaseSync(${JSON.stringify(join(dataDir, "catalog.sqlite"))});
      database.exec("UPDATE catalog_format SET compatible_from = 1000; PRAGMA user_version = 1000");
      process.kill(process.pid, "SIGKILL");`;
    expect(spawnSync(process.execPath, ["-e", script]).signal).toBe("SIGKILL");
    const before = await everyFile(dataDir);
    const { code, stderr } = await runMain(["serve", "--data-dir", dataDir, "--listen", "127.0.0.1:0"]);
    expect({ code, reason: /DATA_DIRECTORY_NEWER/.exec(stderr)?.[0] }).toEqual({
      code: 1,
      reason: "DATA_DIRECTORY_NEWER",
    });
    // The index of the log is made anew by whoever reads it; it says nothing that the log doesn't.
    const { "catalog.sqlite-shm": _before, ...rest } = before;
    const { "catalog.sqlite-shm": _after, ...now } = await everyFile(dataDir);
    expect(now).toEqual(rest);
  });
});

test("a data directory of a newer layout is refused, and nothing in it changes", async () => {
  await leaveData();
  await writeFile(join(dataDir, "FORMAT"), "2\n");
  const before = await everyFile(dataDir);
  const { code, stderr } = await runMain(["serve", "--data-dir", dataDir, "--listen", "127.0.0.1:0"]);
  expect(code).toBe(1);
  expect(stderr).toContain("DATA_DIRECTORY_NEWER");
  expect(await everyFile(dataDir)).toEqual(before);
});

describe("a catalog of the first format", () => {
  test("is brought to this one while a driver of the first format goes on to work with it", async () => {
    await leaveData();
    const [uid = ""] = await readdir(join(dataDir, "datasets"));
    const { mtime } = await stat(join(dataDir, "FORMAT"));
    await makeFirstFormat(uid, mtime);
    await using _living = await claimInstance({ dataDirectory: dataDir, id: "old" });
    using old = openCatalog();
    // Prepared before the migration, as that driver's are.
    const list = old.prepare("SELECT * FROM datasets");
    const relabel = old.prepare("UPDATE datasets SET labels = ? WHERE uid = ?");
    const finish = old.prepare(`
      INSERT INTO operations (id, instance_id, kind, state, create_time, end_time, body) VALUES (?, 'old', 'load', ?, 1, ?, ?)
      ON CONFLICT (id) DO UPDATE SET state = excluded.state, end_time = excluded.end_time, body = excluded.body`);
    const numbers = { rows: 1, bytes: 1, totalBytes: 1, rowsPerSecond: 1, bytesPerSecond: 1 };
    const progress = { fraction: null, phase: "reading", ...numbers };
    const body = JSON.stringify({ dataset: "a", progress, requestedBy: "x", labels: {}, configuration: {} });
    finish.run("of the old", "running", null, body);
    await using driver = await startOn(dataDir, "default");
    expect(await sum(driver, "a")).toBe("1");

    relabel.run('{"team":"ops"}', uid);
    expect(await call(driver, "DatasetService/GetDataset", { dataset: "a" })).toMatchObject({
      dataset: { labels: { team: "ops" } },
    });
    // It publishes by a rename, and says so only in its history.
    const versions = join(dataDir, "datasets", uid, "versions");
    const staged = join(folder.path, "staged");
    await cp(join(versions, "1"), staged, { recursive: true });
    const manifest = join(staged, "manifest.json");
    await writeFile(manifest, (await readFile(manifest, "utf8")).replace('"number":1', '"number":2'));
    await rename(staged, join(versions, "2"));
    finish.run("of the old", "succeeded", Date.now(), body);
    expect(await call(driver, "DatasetService/GetDataset", { dataset: "a" })).toMatchObject({
      dataset: { version: { number: "2" } },
    });

    await startLoad(driver, "b", await writeSource(folder.path, 3), { operationId: "load-new" });
    expect((await end(driver, "load-new")).state).toBe(DONE);
    expect(list.all().map(({ name }) => name)).toEqual(["a", "b"]);
    expect((await operation(driver, "of the old")).state).toBe(DONE);
    old.prepare("DELETE FROM datasets WHERE uid = ?").run(uid);
    expect(await sum(driver, "a")).toBe("DATASET_NOT_FOUND");
  });
});

/** Puts a catalog of the first format, made as it was made then, in the place of the present one. */
async function makeFirstFormat(uid: string, createTime: Date): Promise<void> {
  const path = join(dataDir, "catalog.sqlite");
  await writeFile(path, "");
  using database = new DatabaseSync(path);
  database.exec(`PRAGMA journal_mode = WAL; BEGIN; ${datasetsAndOperations.sql}; PRAGMA user_version = 1; COMMIT`);
  const insert = database.prepare(
    "INSERT INTO datasets (uid, name, name_key, labels, create_time) VALUES (?, ?, ?, ?, ?)",
  );
  insert.run(uid, "a", "a", "{}", createTime.getTime());
}
