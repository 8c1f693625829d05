import { getEventListeners } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { EngineProgress } from "../../../../src/engine/types.ts";
import { DriverError } from "../../../../src/errors/driver-error.ts";
import { type EngineUnderTest, engineUnderTest, readAll } from "../../../helpers/read-engine.ts";

let subject: EngineUnderTest;

beforeEach(async () => {
  subject = await engineUnderTest({ connections: 2 });
});

afterEach(async () => {
  expect(subject.engine.active).toBe(0);
  await subject[Symbol.asyncDispose]();
});

// Never ends by itself within a test's time.
const ENDLESS = "SELECT count(*) FROM range(1000000000) a, range(1000) b WHERE hash(a.range, b.range) % 1000000007 = 3";
// Gives rows at once and then for a very long time.
const LONG = "SELECT range AS i, lpad(range::VARCHAR, 100, 'x') AS text FROM range(1000000000)";

test("values are bound as what they are", async () => {
  const { rows } = await readAll(subject.engine, "SELECT $1, $2, typeof($3), typeof($4), typeof($5), $6, typeof($7)", {
    parameters: [true, "it's; --", 5, 9007199254740991, 0.5, null, -170141183460469231731687303715884105728n],
  });
  expect(rows).toEqual([[true, "it's; --", "INTEGER", "BIGINT", "DOUBLE", null, "HUGEINT"]]);
});

test("a result without rows has columns and no batch", async () => {
  const { columns, rows, batchSizes, table } = await readAll(subject.engine, "SELECT 1 AS a, 'x' AS b WHERE false");
  expect(columns.map(({ type }) => type)).toEqual(["INTEGER", "VARCHAR"]);
  expect(rows).toEqual([]);
  expect(batchSizes).toEqual([]);
  expect(table.schema.names).toEqual(["a", "b"]);
});

test("describe tells the columns without running the statement", async () => {
  const { signal } = new AbortController();
  const statement = { text: `SELECT a, a, error('it ran') AS c FROM (SELECT $1::DATE AS a)`, parameters: ["x"] };
  expect(await subject.engine.describe(statement, { signal })).toEqual([
    { name: "a", type: "DATE", kind: "date" },
    { name: "a_2", type: "DATE", kind: "date" },
    { name: "c", type: "INTEGER", kind: "integer" },
  ]);
});

test("describe tells the type of a column that is a bare parameter, still without running anything", async () => {
  const { signal } = new AbortController();
  const statement = { text: `SELECT $1 AS a, n AS a FROM (${ENDLESS}) t(n)`, parameters: ["x"] };
  expect(await subject.engine.describe(statement, { signal })).toEqual([
    { name: "a", type: "VARCHAR", kind: "text" },
    { name: "a_2", type: "BIGINT", kind: "integer" },
  ]);
});

test("a result of 2,000 columns comes in batches of the size that was asked for", async () => {
  const columns = Array.from({ length: 2000 }, (_, index) => `range + ${index} AS c${index}`);
  const { batchBytes, rows } = await readAll(subject.engine, `SELECT ${columns} FROM range(300)`);
  expect(Math.max(...batchBytes)).toBeLessThan(1024 * 1024);
  expect(rows[299]?.[1999]).toBe("2298");
});

test("batches stay within the size that was asked for, and order and values survive the cuts", async () => {
  const text = `SELECT range::INTEGER AS i, repeat(chr(97 + (range % 26)::INTEGER), (range % 50)::INTEGER) AS s,
    CASE WHEN range % 7 > 0 THEN [range::INTEGER, NULL] END AS l FROM range(20000) ORDER BY range`;
  const { rows, batchBytes, table } = await readAll(subject.engine, text, { maxBatchBytes: 10_000 });
  expect(Math.max(...batchBytes)).toBeLessThanOrEqual(10_000);
  const expected = Array.from({ length: 20_000 }, (_, i) => [
    i,
    String.fromCharCode(97 + (i % 26)).repeat(i % 50),
    i % 7 > 0 ? [i, null] : null,
  ]);
  expect(rows).toEqual(expected);
  const fromArrow = table.toArray().map((row) => [row?.i, row?.s, row?.l === null ? null : [...(row?.l ?? [])]]);
  expect(fromArrow).toEqual(expected);
});

test("a row that is larger than a batch travels alone", async () => {
  const { batchSizes } = await readAll(subject.engine, "SELECT repeat('x', 50000) FROM range(5)", {
    maxBatchBytes: 1000,
  });
  expect(batchSizes).toEqual([1, 1, 1, 1, 1]);
});

test("narrow rows come in batches that don't hold up the event loop", async () => {
  const { batchSizes } = await readAll(subject.engine, "SELECT true FROM range(100000)");
  expect(Math.max(...batchSizes)).toBeLessThanOrEqual(32_768);
});

test("a large result that is read slowly takes bounded memory", { timeout: 180_000 }, async () => {
  const { signal } = new AbortController();
  await using result = await subject.engine.query({ text: LONG, parameters: [] }, { signal });
  const read = async (batches: number) => {
    for (let count = 0; count < batches; count++) {
      (await result.next())?.toArrow();
      if (count % 50 === 0) await sleep(5);
    }
  };
  await read(100);
  const before = process.memoryUsage.rss();
  await read(500);
  expect(process.memoryUsage.rss() - before).toBeLessThan(200e6);
});

test("nothing is computed for a reader that does not read", async () => {
  const { signal } = new AbortController();
  await using result = await subject.engine.query({ text: LONG, parameters: [] }, { signal });
  await result.next();
  const used = async () => {
    const before = process.cpuUsage();
    await sleep(500);
    const { user, system } = process.cpuUsage(before);
    return user + system;
  };
  // It comes to rest, after what was under way.
  await expect.poll(used).toBeLessThan(250_000);
});

test("an error in the middle of a result is told, with its own words", async () => {
  const text = "SELECT CASE WHEN range = 900000 THEN 'nine' ELSE range::VARCHAR END::INTEGER AS i FROM range(1000000)";
  await expect(readAll(subject.engine, text)).rejects.toMatchObject({
    reason: "QUERY_FAILED",
    message: "could not convert string 'nine' to INT32",
  });
});

test.each([
  ["SELECT 'x'::INTEGER", "QUERY_FAILED"],
  ["SELECT 9223372036854775807 + range FROM range(2)", "QUERY_FAILED"],
  ["SELECT nothing FROM range(1)", "SQL_INVALID"],
  ["SELECT * FROM missing", "SQL_INVALID"],
  ["SELEC 1", "SQL_INVALID"],
  ["SELECT 1; SELECT 2", "QUERY_FAILED"],
])("%s fails with %s", async (text, reason) => {
  await expect(readAll(subject.engine, text)).rejects.toMatchObject({ reason });
  expect((await readAll(subject.engine, "SELECT 1")).rows).toEqual([[1]]);
});

test("a segment that is missing is told without its path", async () => {
  const error = await readAll(subject.engine, `FROM read_parquet('${subject.segments}/none.parquet')`).catch((e) => e);
  expect(error).toMatchObject({ reason: "SEGMENT_UNREADABLE" });
  expect(error.message).not.toContain(subject.segments);
});

test("nothing outside of the allowed folders can be read or written", async () => {
  for (const text of ["FROM read_csv('/etc/passwd')", "COPY (SELECT 1) TO '/tmp/out.csv'", "FROM '/etc/passwd'"]) {
    await expect(readAll(subject.engine, text)).rejects.toBeInstanceOf(DriverError);
  }
});

test("a statement can't write, wherever", async () => {
  await expect(readAll(subject.engine, "CREATE TABLE t AS SELECT 1")).rejects.toBeInstanceOf(DriverError);
});

test("a query that does not fit into memory spills, and cleans up behind itself", async () => {
  await using small = await engineUnderTest({ memoryLimitBytes: 120e6 });
  const sorted = "SELECT md5(range::VARCHAR) AS h, range AS i FROM range(3000000) ORDER BY h";
  const { rows } = await readAll(small.engine, `SELECT count(*), sum(i) FROM (${sorted})`);
  expect(rows).toEqual([["3000000", "4499998500000"]]);
  expect(await small.spilled()).toEqual([]);
  const { signal } = new AbortController();
  const result = await small.engine.query({ text: sorted, parameters: [] }, { signal });
  await result.next();
  // Most of the rows are still to come.
  expect((await small.spilled()).length).toBeGreaterThan(0);
  await result[Symbol.asyncDispose]();
  expect(await small.spilled()).toEqual([]);
});

test("a query that fits neither into memory nor into the spill folder says which", async () => {
  const hashed = "(SELECT md5(range::VARCHAR) AS h FROM range(5000000))";
  const sorted = `SELECT max(h), count(*) FROM (SELECT h, row_number() OVER (ORDER BY h) AS n FROM ${hashed})`;
  const grouped = `SELECT max(c) FROM (SELECT h, count(*) AS c FROM ${hashed} GROUP BY h)`;
  await using small = await engineUnderTest({ memoryLimitBytes: 60e6, maxSpillBytes: 1e6 });
  const errors = await Promise.all([sorted, grouped].map((sql) => readAll(small.engine, sql).catch((e) => e)));
  for (const error of errors) expect(["OUT_OF_MEMORY", "SPILL_FULL"]).toContain(error.reason);
  expect(small.engine.active).toBe(0);
  expect((await readAll(small.engine, "SELECT 1")).rows).toEqual([[1]]);
});

test("statements beyond the connections wait for their turn and all finish", async () => {
  const text = "SELECT $1::INTEGER + count(*)::INTEGER FROM range(1000000) WHERE range % 2 = 0";
  const answers = Array.from({ length: 12 }, (_, index) => readAll(subject.engine, text, { parameters: [index] }));
  expect((await Promise.all(answers)).map(({ rows }) => rows[0]?.[0])).toEqual(
    Array.from({ length: 12 }, (_, index) => 500_000 + index),
  );
});

test("progress comes while a statement runs and never goes back", async () => {
  const seen: EngineProgress[] = [];
  const text = "SELECT count(DISTINCT hash(a.range, b.range)) FROM range(3000) a, range(1000) b";
  await readAll(subject.engine, text, { onProgress: (progress) => seen.push(progress) });
  expect(seen.length).toBeGreaterThan(0);
  for (const [index, { fraction, rows }] of seen.entries()) {
    const before = seen[index - 1];
    if (fraction !== undefined) expect(fraction).toBeLessThanOrEqual(1);
    if (!before) continue;
    expect(rows).toBeGreaterThanOrEqual(before.rows);
    if (before.fraction !== undefined) expect(fraction).toBeGreaterThanOrEqual(before.fraction);
  }
});

test("cancelling before a statement starts never starts it", async () => {
  const reason = new DriverError("CANCELLED", "no longer wanted");
  await expect(readAll(subject.engine, LONG, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
});

test("cancelling a statement that computes stops it, and the reason is the canceller's", async () => {
  const controller = new AbortController();
  const reason = new DriverError("CANCELLED", "no longer wanted");
  setTimeout(() => controller.abort(reason), 100);
  await expect(readAll(subject.engine, ENDLESS, { signal: controller.signal })).rejects.toBe(reason);
  expectNothingLeft(controller.signal);
});

test("cancelling at any moment of a statement's life leaves the engine idle", async () => {
  for (let microDelay = 0; microDelay < 40; microDelay++) {
    const controller = new AbortController();
    const answer = readAll(subject.engine, ENDLESS, { signal: controller.signal });
    const caught = answer.catch((error: unknown) => error);
    for (let turn = 0; turn < microDelay; turn++) await new Promise((resolve) => setImmediate(resolve));
    controller.abort();
    expect(await caught).toMatchObject({ reason: "CANCELLED" });
    expectNothingLeft(controller.signal);
  }
});

test("cancelling while a statement waits for a connection takes it out of the queue", async () => {
  const busy = new AbortController();
  const running = [1, 2].map(() => readAll(subject.engine, ENDLESS, { signal: busy.signal }).catch((e) => e));
  await sleep(50);
  const controller = new AbortController();
  const waiting = readAll(subject.engine, "SELECT 1", { signal: controller.signal }).catch((e) => e);
  await sleep(20);
  controller.abort();
  expect(await waiting).toMatchObject({ reason: "CANCELLED" });
  expectListenersGone(controller.signal);
  busy.abort();
  await Promise.all(running);
});

test("cancelling while nobody waits for a batch stops the statement at once", async () => {
  const controller = new AbortController();
  const result = await subject.engine.query({ text: LONG, parameters: [] }, { signal: controller.signal });
  await result.next();
  expect(subject.engine.active).toBe(1);
  controller.abort();
  await waitUntilIdle();
  await expect(result.next()).rejects.toMatchObject({ reason: "CANCELLED" });
  expectNothingLeft(controller.signal);
});

test("a deadline ends a statement as one", async () => {
  await expect(readAll(subject.engine, ENDLESS, { signal: AbortSignal.timeout(50) })).rejects.toMatchObject({
    reason: "DEADLINE_EXCEEDED",
  });
});

test("disposing a result early stops its statement", async () => {
  const controller = new AbortController();
  {
    await using result = await subject.engine.query({ text: LONG, parameters: [] }, { signal: controller.signal });
    await result.next();
  }
  expectNothingLeft(controller.signal);
});

test("disposing a result while a batch is on its way stops its statement", async () => {
  const controller = new AbortController();
  // Many rows at once, then hardly any.
  const text = "SELECT range FROM range(100000000000) WHERE range < 1000000 OR hash(range) % 1000000007 = 3";
  const result = await subject.engine.query({ text, parameters: [] }, { signal: controller.signal });
  let pending = result.next();
  while (await Promise.race([pending, sleep(300)])) pending = result.next();
  await result[Symbol.asyncDispose]();
  await pending;
  expectNothingLeft(controller.signal);
});

test("a connection serves many statements, also after cancelled and failed ones", async () => {
  for (let round = 0; round < 30; round++) {
    const controller = new AbortController();
    const cancelled = readAll(subject.engine, ENDLESS, { signal: controller.signal }).catch((e) => e.reason);
    const failed = readAll(subject.engine, "SELECT 'x'::INTEGER").catch((e) => e.reason);
    setTimeout(() => controller.abort(), round % 5);
    expect(await Promise.all([cancelled, failed])).toEqual(["CANCELLED", "QUERY_FAILED"]);
    expect((await readAll(subject.engine, "SELECT 1")).rows).toEqual([[1]]);
  }
});

test("closing the engine ends what runs and refuses what comes", async () => {
  await using closing = await engineUnderTest();
  const running = readAll(closing.engine, ENDLESS).catch((e) => e);
  await sleep(50);
  await closing.engine[Symbol.asyncDispose]();
  expect(await running).toMatchObject({ reason: "DRIVER_STOPPED" });
  await expect(readAll(closing.engine, "SELECT 1")).rejects.toBeInstanceOf(DriverError);
});

function expectNothingLeft(signal: AbortSignal): void {
  expect(subject.engine.active).toBe(0);
  expectListenersGone(signal);
}

function expectListenersGone(signal: AbortSignal): void {
  expect(getEventListeners(signal, "abort")).toEqual([]);
}

async function waitUntilIdle(): Promise<void> {
  while (subject.engine.active > 0) await sleep(1);
}
