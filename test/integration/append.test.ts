import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { Int64, Table, tableToIPC, Utf8, vectorFromArray } from "apache-arrow";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type AppendRow, type AppendValue, connect, type Drover, DroverError } from "../../clients/node/src/index.ts";
import { following, PeerFinder } from "../../clients/node/test/peer-finder.ts";
import { runCli } from "../helpers/cli.ts";
import { startCutProxy } from "../helpers/cut-proxy.ts";
import { startDriver, type TestDriver } from "../helpers/driver.ts";

let folder: string;
let driver: TestDriver;
let drover: Drover;
const create = { n: "BIGINT", t: "VARCHAR" };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "drover-append-"));
  driver = await startDriver({ dataDir: join(folder, "data") });
  drover = await connect(driver);
});

afterAll(async () => {
  await drover?.close();
  await driver?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function failure(promise: Promise<unknown>): Promise<DroverError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(DroverError);
  return error as DroverError;
}

/** How many rows a dataset has, how many different numbers, and the sum of those. */
async function counted(dataset: string, of = drover): Promise<readonly number[]> {
  const sql = `SELECT count(*) AS c, count(DISTINCT n) AS d, sum(n) AS s FROM "${dataset}"`;
  const [row] = [...(await of.sql(sql).rows())];
  return [Number(row?.c), Number(row?.d), Number(row?.s)];
}

function whole(rows: number): readonly number[] {
  return [rows, rows, (rows * (rows - 1)) / 2];
}

function* numbers(count: number, from = 0): Generator<AppendRow> {
  for (let n = from; n < from + count; n++) yield { n, t: `text of row ${n}` };
}

async function* slowly<T>(items: Iterable<T>, every: number, pauseMs: number): AsyncGenerator<T> {
  let count = 0;
  for (const item of items) {
    yield item;
    if (++count % every === 0) await setTimeout(pauseMs);
  }
}

describe("a client's rows", () => {
  test("of every kind are as they were given", async () => {
    const types = {
      i: "BIGINT",
      d: "DECIMAL(38,2)",
      f: "DOUBLE",
      moment: "TIMESTAMP WITH TIME ZONE",
      t: "VARCHAR",
      b: "BOOLEAN",
    };
    const rows: readonly { readonly [column: string]: AppendValue }[] = [
      {
        i: 2n ** 63n - 1n,
        d: "123456789012345678901234567890123456.78",
        f: Number.NaN,
        moment: new Date(0),
        t: 'a\n"b"',
        b: true,
      },
      { i: -1, d: 1.5, f: Number.NEGATIVE_INFINITY, moment: "2024-01-01T00:00:00+02:00", t: "", b: null },
      { t: undefined },
    ];
    const status = await drover.append("kinds", rows, { create: types, appendId: "kinds-1" });
    expect(status).toEqual({ appendId: "kinds-1", dataset: "kinds", rows: 3, version: 1 });
    const sql =
      "SELECT i::VARCHAR AS i, d::VARCHAR AS d, f::VARCHAR AS f, moment::VARCHAR AS instant, t, b FROM kinds ORDER BY i";
    expect([...(await drover.sql(sql).rows())]).toMatchObject([
      { i: "-1", d: "1.50", f: "-inf", instant: "2023-12-31 22:00:00+00", t: "", b: null },
      {
        i: "9223372036854775807",
        d: "123456789012345678901234567890123456.78",
        f: "nan",
        instant: "1970-01-01 00:00:00+00",
        t: 'a\n"b"',
        b: true,
      },
      { i: null, t: null },
    ]);
  });

  test("are visible while their stream goes on, and each of them once", async () => {
    const seen = Promise.withResolvers<void>();
    const rows = (async function* () {
      for (let n = 0; n < 20; n++) {
        if (n === 10) await seen.promise;
        yield [n, "x"];
        await setTimeout(20);
      }
    })();
    const done = drover.append("live", rows, { create, columns: ["n", "t"] });
    await expect.poll(async () => (await drover.dataset("live")).version.rows).toBeGreaterThan(0);
    seen.resolve();
    expect(await done).toMatchObject({ rows: 20 });
    expect(await counted("live")).toEqual(whole(20));
  });

  test("may be an Arrow stream, in whatever pieces it comes", async () => {
    const batches = [0, 1, 2].map(
      (part) =>
        new Table({
          n: vectorFromArray(
            [0, 1, 2].map((n) => BigInt(part * 3 + n)),
            new Int64(),
          ),
          t: vectorFromArray(["a", null, "c"], new Utf8()),
        }),
    );
    const bytes = tableToIPC(
      batches.reduce((all, table) => all.concat(table)),
      "stream",
    );
    const pieces = async function* () {
      for (let at = 0; at < bytes.length; at += 7) yield bytes.subarray(at, at + 7);
    };
    expect(await drover.append("arrow", pieces(), { create })).toMatchObject({ rows: 9 });
    expect(await counted("arrow")).toEqual(whole(9));
    const cut = failure(drover.append("arrow", [bytes.subarray(0, bytes.length - 20)]));
    expect(await cut).toMatchObject({ reason: "INVALID_ARGUMENT" });
  });

  test("that do not fit are named by row, column and value; the client learns how many are there", async () => {
    await drover.append("misfit", numbers(3), { create });
    const rows = [{ n: 3 }, { n: "no number", t: "x" }];
    const error = await failure(drover.append("misfit", rows, { appendId: "misfit-1" }));
    expect(error).toMatchObject({
      reason: "LOAD_TYPE_MISMATCH",
      metadata: { row: "2", column: "n", value: "no number", append: "misfit-1", durableRows: "0" },
    });
    expect(error.message).toBe('row 2, column "n": "no number" is no BIGINT');
    expect(await drover.appendStatus("misfit", "misfit-1")).toMatchObject({ rows: 0, version: 1 });
    expect(await failure(drover.append("nowhere", numbers(1)))).toMatchObject({ reason: "DATASET_NOT_FOUND" });
    expect(await failure(drover.append("misfit", numbers(1), { appendId: "not an id" }))).toMatchObject({
      reason: "INVALID_REQUEST",
      violations: [expect.objectContaining({ field: expect.stringContaining("append_id") })],
    });
  });

  test("whose source fails, or whose time is up, stop where they were", async () => {
    await drover.append("stopped", numbers(1), { create });
    const broken = async function* (): AsyncGenerator<AppendRow> {
      yield* numbers(10, 1);
      await expect.poll(async () => (await drover.appendStatus("stopped", "stopped-1")).rows).toBe(10);
      throw new RangeError("the source is broken");
    };
    await expect(drover.append("stopped", broken(), { appendId: "stopped-1" })).rejects.toThrow("the source is broken");
    const late = drover.append("stopped", slowly(numbers(1_000_000, 11), 10, 50), {
      appendId: "stopped-2",
      timeoutMs: 3_000,
    });
    expect(await failure(late)).toMatchObject({ reason: "DEADLINE_EXCEEDED" });
    const ended = async () => {
      for await (const { state } of drover.operations({ kinds: ["append"], dataset: "stopped" }))
        expect(["succeeded", "cancelled"]).toContain(state);
    };
    await vi.waitFor(ended, { timeout: 30_000 });
    const statuses = await Promise.all(["stopped-1", "stopped-2"].map((id) => drover.appendStatus("stopped", id)));
    const durable = statuses.reduce((sum, { rows }) => sum + rows, 1);
    const [rows, distinct] = await counted("stopped");
    expect([rows, distinct]).toEqual([durable, durable]);
    expect(statuses[0]?.rows).toBe(10);
  });

  test("of an append that was broken off are skipped where they are there already", async () => {
    const leave = new AbortController();
    const some = async function* () {
      yield* slowly(numbers(500), 100, 200);
      await new Promise(() => {});
    };
    const first = failure(drover.append("again", some(), { create, appendId: "again-1", signal: leave.signal }));
    await expect.poll(async () => (await drover.appendStatus("again", "again-1")).rows).toBeGreaterThan(0);
    leave.abort();
    expect(await first).toMatchObject({ reason: "CANCELLED" });
    expect(await drover.append("again", numbers(1_000), { create, appendId: "again-1" })).toMatchObject({
      rows: 1_000,
    });
    expect(await counted("again")).toEqual(whole(1_000));
    expect(await drover.append("again", numbers(1_000), { appendId: "again-1" })).toMatchObject({ rows: 1_000 });
    expect(await counted("again")).toEqual(whole(1_000));
  });
});

describe("an append whose connection breaks", () => {
  test.each(["json", "arrow"])("goes on by itself, and no row is lost or doubled: %s", async (format) => {
    await using proxy = await startCutProxy(driver.address);
    await using over = await connect({ address: proxy.address, token: driver.token });
    const dataset = `cut ${format}`;
    const total = 60_000;
    const arrow = function* () {
      for (let from = 0; from < total; from += 500) {
        const rows = Array.from({ length: 500 }, (_, at) => from + at);
        const table = new Table({
          n: vectorFromArray(rows.map(BigInt), new Int64()),
          t: vectorFromArray(
            rows.map((n) => `text of row ${n}`),
            new Utf8(),
          ),
        });
        const bytes = tableToIPC(table, "stream");
        // One stream: its schema comes first, and the end marker last.
        const schemaBytes = 8 + Buffer.from(bytes).readInt32LE(4);
        yield from === 0 ? bytes.subarray(0, -8) : bytes.subarray(schemaBytes, -8);
      }
    };
    const source = format === "json" ? slowly(numbers(total), 2_000, 100) : slowly(arrow(), 4, 100);
    const done = over.append(dataset, source, { create });
    let ended = false;
    const cuts = (async () => {
      for (let cut = 0; cut < 4 && !ended; cut++) {
        await setTimeout(300 + Math.random() * 500);
        proxy.cut();
      }
    })();
    expect(await done).toMatchObject({ rows: total });
    ended = true;
    await cuts;
    expect(await counted(dataset)).toEqual(whole(total));
  });

  test("while its source is silent goes on with whatever the source brings next", async () => {
    await using proxy = await startCutProxy(driver.address);
    await using over = await connect({ address: proxy.address, token: driver.token });
    const source = async function* () {
      yield* numbers(1);
      await setTimeout(300);
      proxy.cut();
      // The stream that follows waits for rows by then, as the one before does.
      await setTimeout(2_000);
      yield* slowly(numbers(5, 1), 1, 150);
    };
    expect(await over.append("silent", source(), { create })).toMatchObject({ rows: 6 });
    expect(await counted("silent")).toEqual(whole(6));
  });

  test("while its source is silent learns of the source's error", async () => {
    await using proxy = await startCutProxy(driver.address);
    await using over = await connect({ address: proxy.address, token: driver.token });
    const source = async function* () {
      yield* numbers(1);
      await setTimeout(300);
      proxy.cut();
      throw new Error("the source fails");
    };
    await expect(over.append("failing", source(), { create })).rejects.toThrow("the source fails");
  });
});

describe("several app servers", () => {
  test("append to one dataset at once, also at two drivers, beside loads of other data", async () => {
    await using second = await startDriver({ dataDir: join(folder, "data"), profile: "second", config: "" });
    await using other = await connect(second);
    await using third = await connect(driver);
    const each = 3_000;
    const append = (of: Drover, part: number) =>
      of.append("shared", slowly(numbers(each, part * each), 300, 40), { create });
    const results = await Promise.all([append(drover, 0), append(third, 1), append(other, 2), append(other, 3)]);
    for (const { rows } of results) expect(rows).toBe(each);
    expect(await counted("shared")).toEqual(whole(4 * each));
    expect(await counted("shared", other)).toEqual(whole(4 * each));
  });
});

describe("a driver that ends", () => {
  test.each(["SIGKILL", "SIGTERM"] as const)(
    "by %s is followed by the next one, where the append goes on",
    async (signal) => {
      const dataDir = join(folder, signal);
      const finder = new PeerFinder();
      finder.rejoinable = true;
      const first = await startDriver({ dataDir });
      finder.places.unshift(first);
      await using stack = new AsyncDisposableStack();
      stack.use(first);
      const find = finder.find.bind(finder);
      let started = false;
      finder.find = async (search) => {
        if (search.start !== false && search.lost !== undefined && !started) {
          started = true;
          finder.places.unshift(stack.use(await startDriver({ dataDir })));
        }
        return find(search);
      };
      await using client = await following(finder);
      const total = 20_000;
      const killed = Promise.withResolvers<void>();
      const source = async function* () {
        yield* slowly(numbers(total / 2), 200, 50);
        await killed.promise;
        yield* slowly(numbers(total / 2, total / 2), 200, 10);
      };
      const told: number[] = [];
      const onProgress = ({ durableRows }: { readonly durableRows: number }) => told.push(durableRows);
      const done = client.append("followed", source(), { create, appendId: "followed-1", onProgress });
      await expect
        .poll(async () => (await client.appendStatus("followed", "followed-1")).rows, { timeout: 60_000 })
        .toBeGreaterThan(0);
      first.process.kill(signal);
      killed.resolve();
      expect(await done).toMatchObject({ rows: total });
      expect(started).toBe(true);
      expect(told.at(-1)).toBe(total);
      expect(await counted("followed", client)).toEqual(whole(total));
    },
  );
});

describe("the command", () => {
  const at = () => ["--address", driver.address, "--token-file", join(driver.dataDir, "token")];

  test("appends CSV, JSON lines and Arrow from files and standard input", async () => {
    const csv = join(folder, "rows.csv");
    await writeFile(csv, 'n,t\n0,"a, b"\n1,\n2,"say ""hi"""\n');
    const made = await runCli([...at(), "append", "by command", csv, "--create", "n=BIGINT", "--create", "t=VARCHAR"]);
    expect(made).toMatchObject({ code: 0, stdout: expect.stringContaining("version 1, 3 rows appended") });
    const json = await runCli([...at(), "--json", "append", "by command", "-", "-f", "json", "--id", "lines"], {
      input: Buffer.from('{"n":3,"t":"x"}\n\n{"n":4}\n'),
    });
    expect(JSON.parse(json.stdout)).toEqual({
      append: { appendId: "lines", dataset: "by command", rows: 2, version: 2 },
    });
    const arrow = join(folder, "rows.arrows");
    await writeFile(arrow, tableToIPC(new Table({ n: vectorFromArray([5n], new Int64()) }), "stream"));
    expect((await runCli([...at(), "append", "by command", arrow])).stdout).toContain("1 row appended");
    expect(await counted("by command")).toEqual(whole(6));
    const bad = await runCli([...at(), "append", "by command", "-", "-f", "json"], {
      input: Buffer.from('{"n":"x"}\n'),
    });
    expect(bad).toMatchObject({ code: 1, stderr: expect.stringContaining('LOAD_TYPE_MISMATCH: row 1, column "n"') });
    expect((await runCli([...at(), "append", "by command", "rows"])).code).toBe(2);
    expect((await runCli([...at(), "append", "by command", join(folder, "none.csv")])).code).toBe(1);
  });
});
