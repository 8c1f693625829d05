import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { versionRelation } from "../../../../src/engine/duckdb/version-relation.ts";
import type { ReadableVersion } from "../../../../src/engine/engine.ts";
import { type EngineUnderTest, engineUnderTest, readAll, writeSegments } from "../../../helpers/read-engine.ts";

let subject: EngineUnderTest;
let version: ReadableVersion;
const { signal } = new AbortController();

beforeAll(async () => {
  subject = await engineUnderTest({ memoryLimitBytes: 1e9 });
  const select = `SELECT (range + $segment * 300000)::BIGINT AS id, ['north', 'south', 'east'][1 + range % 3] AS "the zone",
    range / 4.0 AS fare, DATE '2020-01-01' + (range % 1000)::INTEGER AS day FROM range(300000)`;
  version = {
    dataset: "trips",
    version: 1,
    columns: [
      { name: "id", type: "BIGINT", kind: "integer" },
      { name: "the zone", type: "VARCHAR", kind: "text" },
      { name: "fare", type: "DOUBLE", kind: "float" },
      { name: "day", type: "DATE", kind: "date" },
    ],
    segmentPaths: await writeSegments(subject.segments, select, 4),
  };
});

afterAll(async () => {
  expect(subject.engine.active).toBe(0);
  await subject[Symbol.asyncDispose]();
});

const resident = (table: string): ReadableVersion => ({ ...version, residentTable: table });

test("a version in memory is the segments', row for row and in their order", async () => {
  await subject.engine.makeResident("trips@1", version, { signal });
  const digest = (relation: string) =>
    `SELECT count(*), md5(string_agg(r, '' ORDER BY n)) FROM (SELECT t::VARCHAR AS r, row_number() OVER () AS n FROM ${relation} t)`;
  const [fromMemory, fromSegments] = await Promise.all(
    [resident("trips@1"), version].map((source) => readAll(subject.engine, digest(versionRelation(source)))),
  );
  expect(fromMemory?.rows).toEqual(fromSegments?.rows);
  expect(fromMemory?.rows[0]?.[0]).toBe("1200000");
  await subject.engine.dropResident("trips@1");
});

test("memory is compressed, measured and given back whole", async () => {
  const before = await tableBytes();
  const [first, second] = await Promise.all([
    subject.engine.makeResident("a", version, { signal }),
    subject.engine.makeResident("b", version, { signal }),
  ]);
  // 1.2 M rows of 8 + 16 + 8 + 4 bytes.
  expect(first).toBeGreaterThan(1e6);
  expect(first).toBeLessThan((1.2e6 * 36) / 2);
  expect(Math.abs(first - second)).toBeLessThan(first / 4);
  expect((await tableBytes()) - before).toBe(first + second);
  await subject.engine.dropResident("a");
  await subject.engine.dropResident("b");
  expect(await tableBytes()).toBe(before);
});

test("a version without segments is an empty table", async () => {
  await subject.engine.makeResident("empty", { ...version, segmentPaths: [] }, { signal });
  const { rows } = await readAll(subject.engine, `SELECT count(*) FROM ${versionRelation(resident("empty"))}`);
  expect(rows).toEqual([["0"]]);
  await subject.engine.dropResident("empty");
});

test("dropping waits for those who read, who see all of it", async () => {
  await subject.engine.makeResident("read", version, { signal });
  const text = `SELECT * FROM ${versionRelation(resident("read"))}`;
  const result = await subject.engine.query({ text, parameters: [] }, { signal });
  let rows = (await result.next())?.rows ?? 0;
  let dropped = false;
  const dropping = subject.engine.dropResident("read").then(() => {
    dropped = true;
  });
  await sleep(100);
  expect(dropped).toBe(false);
  for (let batch = await result.next(); batch; batch = await result.next()) rows += batch.rows;
  expect(rows).toBe(1_200_000);
  await dropping;
  await expect(readAll(subject.engine, text)).rejects.toMatchObject({ reason: "SQL_INVALID" });
});

test("filling a table never disturbs, nor waits for, those who read another", async () => {
  await subject.engine.makeResident("old", version, { signal });
  const text = `SELECT * FROM ${versionRelation(resident("old"))}`;
  await using result = await subject.engine.query({ text, parameters: [] }, { signal });
  await result.next();
  await subject.engine.makeResident("new", version, { signal });
  await subject.engine.dropResident("new");
  await result[Symbol.asyncDispose]();
  await subject.engine.dropResident("old");
});

test("a fill that is cancelled or fails leaves nothing behind", async () => {
  const before = await tableBytes();
  const controller = new AbortController();
  // Large enough that no machine has filled it by then.
  const large = { ...version, segmentPaths: Array.from({ length: 40 }, () => version.segmentPaths).flat() };
  setTimeout(() => controller.abort(), 30);
  await expect(subject.engine.makeResident("half", large, { signal: controller.signal })).rejects.toMatchObject({
    reason: "CANCELLED",
  });
  const missing = { ...version, segmentPaths: [...version.segmentPaths, `${subject.segments}/none.parquet`] };
  await expect(subject.engine.makeResident("half", missing, { signal })).rejects.toMatchObject({
    reason: "SEGMENT_UNREADABLE",
  });
  expect(await tableBytes()).toBe(before);
  await subject.engine.makeResident("half", version, { signal });
  await subject.engine.dropResident("half");
});

test("a version that does not fit into memory is refused, and the engine goes on", async () => {
  await using small = await engineUnderTest({
    memoryLimitBytes: 10e6,
    maxSpillBytes: 1e6,
    allowedDirectories: [subject.segments],
  });
  await expect(small.engine.makeResident("large", version, { signal })).rejects.toMatchObject({
    reason: expect.stringMatching(/OUT_OF_MEMORY|SPILL_FULL/),
  });
  expect((await readAll(small.engine, "SELECT 1")).rows).toEqual([[1]]);
});

test("dropping what is not there does nothing", async () => {
  await subject.engine.dropResident("never made");
});

async function tableBytes(): Promise<number> {
  const text = "SELECT memory_usage_bytes FROM duckdb_memory() WHERE tag = 'IN_MEMORY_TABLE'";
  return Number((await readAll(subject.engine, text)).rows[0]?.[0]);
}
