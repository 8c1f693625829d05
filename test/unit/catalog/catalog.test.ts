import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Catalog, openCatalog } from "../../../src/catalog/catalog.ts";
import type { DatasetRecord } from "../../../src/catalog/datasets.ts";
import { claimInstance, type Instance, removeDeadInstances } from "../../../src/catalog/instance.ts";
import { catalogVersion } from "../../../src/catalog/migrations/migrate.ts";
import { DriverError } from "../../../src/errors/driver-error.ts";
import type { HistoryBounds } from "../../../src/operations/history.ts";
import type { OperationSnapshot } from "../../../src/operations/model.ts";
import { temporaryFolder } from "../../helpers/temporary-folder.ts";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
const children: ChildProcess[] = [];

beforeEach(async () => {
  folder = await temporaryFolder();
});

afterEach(async () => {
  for (const child of children.splice(0)) await kill(child);
  await folder[Symbol.asyncDispose]();
});

/** Opens the catalog as a driver with this instance id does. */
async function open(id: string): Promise<Catalog & { readonly instance: Instance }> {
  const instance = await claimInstance({ dataDirectory: folder.path, id });
  const catalog = await openCatalog({ dataDirectory: folder.path, instance });
  const close = async () => {
    await catalog[Symbol.asyncDispose]();
    await instance[Symbol.asyncDispose]();
  };
  return { ...catalog, instance, [Symbol.asyncDispose]: close };
}

/** Runs a script in a process of its own until it prints its first line. */
async function inChild(script: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["pipe", "pipe", "inherit"] });
  children.push(child);
  await once(child.stdout, "data");
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}

function source(path: string): string {
  return JSON.stringify(join(import.meta.dirname, "../../../src", path));
}

function record(name: string, uid: string): DatasetRecord {
  return {
    uid,
    name,
    nameKey: name.toLowerCase(),
    labels: { a: "1" },
    createTime: new Date(1000),
    storageLevel: "memory",
  };
}

const progress = {
  fraction: undefined,
  rows: 1,
  bytes: 2,
  totalBytes: 3,
  rowsPerSecond: 4,
  bytesPerSecond: 5,
  phase: "reading",
};

function operation(id: string, over: Partial<OperationSnapshot> = {}): OperationSnapshot {
  return {
    id,
    kind: "load",
    state: "succeeded",
    dataset: "a",
    progress,
    requestedBy: "ann",
    labels: { team: "ops" },
    configuration: { uri: "/ä.csv" },
    outcome: { rows: 1 },
    createTime: new Date(1000),
    startTime: new Date(2000),
    endTime: new Date(3000),
    ...over,
  };
}

const all: HistoryBounds = { maxPerKind: 1000, endedAfter: new Date(0) };

async function history(catalog: Catalog, bounds = all): Promise<OperationSnapshot[]> {
  const found: OperationSnapshot[] = [];
  for await (const some of catalog.operations.load(bounds)) found.push(...some);
  return found;
}

describe("the catalog", () => {
  it("keeps datasets and operations over a restart", async () => {
    const failed = operation("two", {
      kind: "query",
      state: "failed",
      endTime: new Date(4000),
      error: new DriverError("POOL_FULL", "full", { metadata: { pool: "readers" } }),
    });
    {
      await using catalog = await open("first");
      await catalog.datasets.insert(record("Flüge 🛫", "u1"));
      await catalog.operations.save([operation("one"), failed]);
    }
    await using catalog = await open("second");
    expect(await catalog.datasets.list()).toEqual([record("Flüge 🛫", "u1")]);
    const [one, two] = await history(catalog);
    expect(one).toEqual(operation("one"));
    expect(two).toMatchObject({ id: "two", state: "failed", error: { reason: "POOL_FULL", message: "full" } });
    expect(two?.error?.metadata).toEqual({ pool: "readers" });
  });

  it("answers the record that already has a name's key", async () => {
    await using catalog = await open("a");
    expect(await catalog.datasets.insert(record("Sales", "u1"))).toEqual(record("Sales", "u1"));
    expect(await catalog.datasets.insert(record("SALES", "u2"))).toEqual(record("Sales", "u1"));
    await catalog.datasets.update({ ...record("SALES", "u1"), labels: {} });
    expect(await catalog.datasets.list()).toEqual([{ ...record("SALES", "u1"), labels: {} }]);
    await catalog.datasets.remove("u1");
    expect(await catalog.datasets.list()).toEqual([]);
  });

  it("replaces an operation that is written again", async () => {
    await using catalog = await open("a");
    const { endTime: _endTime, ...running } = operation("x", { state: "running" });
    await catalog.operations.save([running]);
    expect(await history(catalog)).toEqual([]);
    await catalog.operations.save([operation("x")]);
    expect(await history(catalog)).toEqual([operation("x")]);
  });

  it("keeps both of two operations for which two owners chose one id at two drivers", async () => {
    await using here = await open("here");
    await using there = await open("there");
    const loaded = operation("x", { owner: { principal: "owner" }, requestedBy: "ann" });
    const asked = operation("x", { kind: "query", owner: { principal: "t1" }, requestedBy: "bob" });
    await here.operations.save([loaded]);
    for (let time = 0; time < 2; time++) await there.operations.save([asked]);
    expect(await here.operations.find("x")).toMatchObject({ kind: "load", requestedBy: "ann" });
    const found = await history(there);
    expect(found.map(({ id, requestedBy }) => [id.split("~")[0], requestedBy]).sort()).toEqual([
      ["x", "ann"],
      ["x", "bob"],
    ]);
    // Asked again by its owner, elsewhere, it is the same one.
    await there.operations.save([{ ...loaded, outcome: { rows: 2 } }]);
    expect(await here.operations.find("x")).toMatchObject({ requestedBy: "ann", outcome: { rows: 2 } });
  });

  it("reads and keeps so many operations of each kind, and none that ended too long ago", async () => {
    await using catalog = await open("a");
    const operations = Array.from({ length: 700 }, (_, index) =>
      operation(`op-${index}`, { kind: index % 7 === 0 ? "load" : "query", endTime: new Date(10_000 + index) }),
    );
    await catalog.operations.save(operations);
    expect(await history(catalog)).toHaveLength(700);
    const some = await history(catalog, { maxPerKind: 300, endedAfter: new Date(10_000 + 250) });
    expect(some.filter(({ kind }) => kind === "query")).toHaveLength(300);
    expect(some.filter(({ kind }) => kind === "load")).toHaveLength(64);
    await catalog.operations.prune({ maxPerKind: 20, endedAfter: new Date(10_000 + 600) });
    const kept = await history(catalog);
    expect(kept.filter(({ kind }) => kind === "query")[0]?.id).toBe("op-699");
    expect(kept.filter(({ kind }) => kind === "query")).toHaveLength(20);
    expect(kept.filter(({ kind }) => kind === "load")).toHaveLength(14);
    await catalog.operations.prune({ maxPerKind: 0, endedAfter: new Date(0) });
    expect(await history(catalog)).toEqual([]);
  });

  it("calls an error INTERNAL whose reason it doesn't know", async () => {
    await using catalog = await open("a");
    await catalog.operations.save([operation("x", { state: "failed", error: new DriverError("CANCELLED", "no") })]);
    const database = new DatabaseSync(join(folder.path, "catalog.sqlite"));
    database.exec(`UPDATE operations SET body = replace(body, 'CANCELLED', 'FROM_THE_FUTURE')`);
    database.close();
    expect((await history(catalog))[0]?.error).toMatchObject({ reason: "INTERNAL", message: "no" });
  });

  it("marks as lost what dead drivers have left unfinished, and nothing of living ones", async () => {
    const { endTime: _endTime, ...running } = operation("x", { state: "running" });
    await using living = await open("living");
    {
      await using dead = await open("dead");
      await dead.operations.save([{ ...running, id: "of the dead" }]);
    }
    await living.operations.save([{ ...running, id: "of the living" }]);
    await using catalog = await open("own");
    await catalog.operations.save([{ ...running, id: "its own" }]);
    expect(await catalog.operations.markLost()).toBe(1);
    expect(await catalog.operations.markLost()).toBe(0);
    expect(await history(catalog)).toMatchObject([
      { id: "of the dead", state: "lost", error: { reason: "DRIVER_STOPPED" }, configuration: { uri: "/ä.csv" } },
    ]);
  });

  it("refuses a catalog of a newer format and writes nothing", async () => {
    await mkdir(folder.path, { recursive: true });
    const path = join(folder.path, "catalog.sqlite");
    const database = new DatabaseSync(path);
    database.exec("CREATE TABLE later (x); PRAGMA user_version = 1000");
    database.close();
    const before = await readFile(path);
    await expect(open("a")).rejects.toMatchObject({
      reason: "DATA_DIRECTORY_NEWER",
      metadata: { path, format: "1000", known: String(catalogVersion) },
    });
    expect(await readFile(path)).toEqual(before);
  });

  it("says that it is damaged when it is no database", async () => {
    await writeFile(join(folder.path, "catalog.sqlite"), "x".repeat(10_000));
    await expect(open("a")).rejects.toMatchObject({ reason: "CATALOG_DAMAGED" });
  });

  it("says that it can't be used when its place is taken by a folder", async () => {
    await mkdir(join(folder.path, "catalog.sqlite"));
    await expect(open("a")).rejects.toMatchObject({ reason: "DATA_DIRECTORY_UNUSABLE" });
  });

  it("is made once by two processes that start together", async () => {
    const catalogs = await Promise.all(["a", "b", "c", "d"].map(open));
    for (const [index, catalog] of catalogs.entries()) await catalog.datasets.insert(record(`d${index}`, `u${index}`));
    expect(await catalogs[0]?.datasets.list()).toHaveLength(4);
    for (const catalog of catalogs) await catalog[Symbol.asyncDispose]();
  });

  it("waits without blocking the event loop while another process holds it locked", async () => {
    await using catalog = await open("a");
    const holder = await inChild(`
      import { DatabaseSync } from "node:sqlite";
      const database = new DatabaseSync(${JSON.stringify(join(folder.path, "catalog.sqlite"))});
      database.exec("BEGIN IMMEDIATE");
      process.stdin.once("data", () => { database.exec("COMMIT"); database.close(); process.exit(0); });
      console.log("locked");
    `);
    let saved = false;
    const saving = catalog.operations.save([operation("x")]).then(() => {
      saved = true;
    });
    for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(saved).toBe(false);
    holder.stdin?.write("go\n");
    await saving;
    expect(await history(catalog)).toEqual([operation("x")]);
  });

  it("loses no write of two processes that write at once", async () => {
    await using catalog = await open("a");
    const writer = await inChild(`
      import { claimInstance } from ${source("catalog/instance.ts")};
      import { openCatalog } from ${source("catalog/catalog.ts")};
      const dataDirectory = ${JSON.stringify(folder.path)};
      const instance = await claimInstance({ dataDirectory, id: "b" });
      const catalog = await openCatalog({ dataDirectory, instance });
      console.log("open");
      const rest = { labels: {}, createTime: new Date(0), storageLevel: "memory" };
      const record = (n) => ({ uid: "b" + n, name: "b" + n, nameKey: "b" + n, ...rest });
      for (let n = 0; n < 200; n++) await catalog.datasets.insert(record(n));
      await catalog[Symbol.asyncDispose]();
      await instance[Symbol.asyncDispose]();
    `);
    const ended = once(writer, "exit");
    for (let n = 0; n < 200; n++) await catalog.datasets.insert(record(`a${n}`, `a${n}`));
    expect((await ended)[0]).toBe(0);
    expect(await catalog.datasets.list()).toHaveLength(400);
  });

  it("has others look at what a dead process has read, for it may have published on top of that", async () => {
    await using here = await open("here");
    await here.datasets.insert(record("a", "held"));
    await here.datasets.insert(record("b", "idle"));
    const seen = await here.changes.latest();
    {
      using database = new DatabaseSync(join(folder.path, "catalog.sqlite"));
      database.exec("INSERT INTO version_holds (uid, version, instance_id) VALUES ('held', 1, 'dead')");
    }
    await here.drivers.forgetDead();
    expect((await here.changes.since(seen)).uids).toEqual(["held"]);
    expect(await here.datasets.holders("held")).toEqual([]);
  });
});

describe("a data directory", () => {
  it("of a newer format is refused before anything is written", async () => {
    await writeFile(join(folder.path, "FORMAT"), "2\n");
    await expect(open("a")).rejects.toMatchObject({
      reason: "DATA_DIRECTORY_NEWER",
      metadata: { format: "2", known: "1" },
    });
    expect(await readdir(folder.path)).toEqual(["FORMAT"]);
  });

  it.each(["", "none\n", "0\n"])("with %j for a format is refused", async (text) => {
    await writeFile(join(folder.path, "FORMAT"), text);
    await expect(open("a")).rejects.toMatchObject({ reason: "DATA_DIRECTORY_UNUSABLE" });
  });

  it("that is a file is refused", async () => {
    const path = join(folder.path, "file");
    await writeFile(path, "");
    await expect(claimInstance({ dataDirectory: path, id: "a" })).rejects.toMatchObject({
      reason: "DATA_DIRECTORY_UNUSABLE",
    });
  });
});

describe("an instance", () => {
  it("is alive until its process is killed, even while it is stopped", async () => {
    await using own = await claimInstance({ dataDirectory: folder.path, id: "own" });
    const child = await inChild(`
      import { claimInstance } from ${source("catalog/instance.ts")};
      globalThis.held = await claimInstance({ dataDirectory: ${JSON.stringify(folder.path)}, id: "other" });
      setInterval(() => undefined, 1000);
      console.log("claimed");
    `);
    expect(await own.isAlive("other")).toBe(true);
    child.kill("SIGSTOP");
    expect(await own.isAlive("other")).toBe(true);
    await removeDeadInstances(folder.path);
    expect((await readdir(join(folder.path, "instances"))).sort()).toEqual(["other.lock", "own.lock"]);
    await kill(child);
    expect(await own.isAlive("other")).toBe(false);
    expect(await own.isAlive("own")).toBe(true);
    expect(await own.isAlive("never was")).toBe(false);
    await removeDeadInstances(folder.path);
    expect(await readdir(join(folder.path, "instances"))).toEqual(["own.lock"]);
  });

  it("is not mistaken for a dead one while it claims its place", async () => {
    const sweeping = Promise.all(
      Array.from({ length: 50 }, () => removeDeadInstances(folder.path).catch(() => undefined)),
    );
    const instances = await Promise.all(
      Array.from({ length: 20 }, (_, index) => claimInstance({ dataDirectory: folder.path, id: `i${index}` })),
    );
    await sweeping;
    await removeDeadInstances(folder.path);
    expect(await readdir(join(folder.path, "instances"))).toHaveLength(20);
    for (const instance of instances) await instance[Symbol.asyncDispose]();
  });
});
