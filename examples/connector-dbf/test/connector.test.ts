import assert from "node:assert/strict";
import { mkdtemp, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { CONNECTOR_REASONS, type ColumnBatch, INTERFACE_VERSION, type SourceContext } from "@drover/connector";
import manifest from "../package.json" with { type: "json" };
import { connector } from "../src/connector.ts";
import { kind } from "../src/kind.ts";
import { dbfDate } from "../src/parsers.ts";
import { type TableSpec, writeTable } from "./table.ts";

let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "connector-dbf-"));
});

after(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** What a worker gives a session, as far as this connector uses it. */
function contextOf(...paths: readonly string[]): SourceContext {
  return {
    signal: new AbortController().signal,
    workDirectory: folder,
    files: () =>
      Promise.all(paths.map(async (path) => ({ path, name: path, bytes: (await stat(path)).size, partial: false }))),
    statement: async () => ({ [Symbol.dispose]: () => undefined }),
  };
}

const towns: TableSpec = {
  mark: 2,
  encoding: "cp850",
  fields: [
    { name: "TOWN", type: "C", length: 12 },
    { name: "PEOPLE", type: "N", length: 9 },
    { name: "AREA", type: "N", length: 8, decimals: 2 },
    { name: "FOUNDED", type: "D", length: 8 },
    { name: "COAST", type: "L", length: 1 },
    { name: "CODE", type: "I", length: 4 },
    { name: "NOTES", type: "M", length: 10 },
  ],
  records: [
    { values: ["Zürich", "443037", "87.88", "00150101", "F", int32(-7)] },
    { values: ["Altona", "1", "1.00", "16640823", "T", int32(1)], deleted: true },
    { values: ["Málaga", "", "*****", "", "?", int32(2 ** 31 - 1)] },
  ],
};

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

async function rowsOf(path: string, options: Record<string, unknown> = {}, maxPartitions = 1) {
  await using session = await connector.open({ kind: "dbf", uri: path, options }, contextOf(path));
  const plan = await session.plan({ maxPartitions, preview: false });
  const rows: unknown[][] = [];
  for (const partition of plan.partitions) {
    const content = await session.read(partition);
    assert.equal(content.form, "batches");
    for await (const batch of content.batches) rows.push(...rowsOfBatch(batch));
  }
  return { plan, rows };
}

function rowsOfBatch({ rows, columns }: ColumnBatch): unknown[][] {
  return Array.from({ length: rows }, (_, row) => columns.map((values) => values[row]));
}

test("a table's types and values come as they are, in its code page, without deleted records and memos", async () => {
  const path = join(folder, "towns.dbf");
  await writeTable(path, towns);
  const { plan, rows } = await rowsOf(path);
  assert.deepEqual(plan.columns, [
    { name: "TOWN", type: "VARCHAR" },
    { name: "PEOPLE", type: "BIGINT" },
    { name: "AREA", type: "DECIMAL(10,2)" },
    { name: "FOUNDED", type: "DATE" },
    { name: "COAST", type: "BOOLEAN" },
    { name: "CODE", type: "INTEGER" },
  ]);
  assert.deepEqual(rows, [
    ["Zürich", "443037", "87.88", "0015-01-01", false, -7],
    ["Málaga", null, null, null, null, 2 ** 31 - 1],
  ]);
  assert.deepEqual(plan.warnings, ["memo fields are left out: NOTES"]);
});

test("options choose another code page and deleted records", async () => {
  const path = join(folder, "unmarked.dbf");
  await writeTable(path, { ...towns, mark: 0 });
  const { rows } = await rowsOf(path, { encoding: "cp850", deleted: "true" });
  assert.deepEqual(
    rows.map(([town]) => town),
    ["Zürich", "Altona", "Málaga"],
  );
  assert.equal((await rowsOf(path)).rows[0]?.[0], "Z\u0081rich");
  await assert.rejects(rowsOf(path, { encoding: "cp1" }), {
    reason: "INVALID_OPTION",
    metadata: { option: "encoding", expected: "a code page such as cp850" },
  });
});

test("many records come in partitions that have each of them once", async () => {
  const path = join(folder, "many.dbf");
  const count = 250_000;
  const records = Array.from({ length: count }, (_, index) => ({ values: [String(index)] }));
  await writeTable(path, { fields: [{ name: "ID", type: "N", length: 6 }], records });
  const { plan, rows } = await rowsOf(path, {}, 3);
  assert.equal(plan.partitions.length, 3);
  assert.deepEqual(
    rows.map(([id]) => Number(id)),
    Array.from({ length: count }, (_, index) => index),
  );
});

test("several files are one table where their fields are the same", async () => {
  const [one, two, other] = ["one.dbf", "two.dbf", "other.dbf"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  await writeTable(one, towns);
  await writeTable(two, towns);
  await writeTable(other, { ...towns, fields: towns.fields.slice(1) });
  await using session = await connector.open({ kind: "dbf", uri: "*.dbf", options: {} }, contextOf(one, two));
  assert.deepEqual(await session.test(), { description: "dBASE, 6 records in 2 files, cp850" });
  await assert.rejects(connector.open({ kind: "dbf", uri: "*.dbf", options: {} }, contextOf(one, other)), {
    reason: "MALFORMED_SOURCE",
  });
});

test("what is no table, or not all of one, is told by its reason", async () => {
  const path = join(folder, "broken.dbf");
  await writeFile(path, "");
  await assert.rejects(rowsOf(path), { reason: "EMPTY_SOURCE" });
  await writeFile(path, "town;people\nZurich;1\nand some more of such lines\n");
  await assert.rejects(rowsOf(path), { reason: "MALFORMED_SOURCE" });
  await writeTable(path, towns);
  await truncate(path, (await stat(path)).size - 10);
  await assert.rejects(rowsOf(path), { reason: "SOURCE_TRUNCATED" });
});

test("a read that is aborted stops", async () => {
  const path = join(folder, "towns.dbf");
  await writeTable(path, towns);
  const controller = new AbortController();
  await using session = await connector.open(
    { kind: "dbf", uri: path, options: {} },
    { ...contextOf(path), signal: controller.signal },
  );
  const { partitions } = await session.plan({ maxPartitions: 1, preview: false });
  const content = await session.read(partitions[0] ?? {});
  assert.equal(content.form, "batches");
  controller.abort(new Error("enough"));
  await assert.rejects(async () => {
    for await (const _ of content.batches) assert.fail("it went on");
  }, /enough/);
});

test("the package's entry names the interface, the kind and the modules that are there", () => {
  assert.equal(manifest.drover.interface, INTERFACE_VERSION);
  assert.deepEqual(Object.keys(manifest.drover.connectors), [kind.kind]);
  assert.ok(CONNECTOR_REASONS.includes("MALFORMED_SOURCE"));
  assert.deepEqual([dbfDate("19991231"), dbfDate("soon"), dbfDate(null)], ["1999-12-31", null, null]);
});
