import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Data } from "apache-arrow";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { typeTable } from "../../../../src/engine/duckdb/types/type-table.ts";
import { nameText } from "../../../../src/engine/duckdb/types/type-text.ts";
import { typesMarkdown } from "../../../../src/engine/duckdb/types/types-markdown.ts";
import { arrowToSql } from "../../../helpers/arrow-to-sql.ts";
import { bareEngine, type EngineUnderTest, engineUnderTest, readAll } from "../../../helpers/read-engine.ts";
import { type Sample, typeSamples } from "../../../helpers/type-samples.ts";

let subject: EngineUnderTest;
let bare: Awaited<ReturnType<typeof bareEngine>>;

beforeAll(async () => {
  subject = await engineUnderTest();
  bare = await bareEngine();
});

afterAll(async () => {
  bare[Symbol.dispose]();
  await subject[Symbol.asyncDispose]();
});

test("every type of the table has samples, and the other way round", () => {
  expect(Object.keys(typeSamples).sort()).toEqual(typeTable.map(({ type }) => type).sort());
});

test("docs/types.md is what the table says", async () => {
  const page = await readFile(join(import.meta.dirname, "../../../../docs/types.md"), "utf8");
  expect(page).toBe(typesMarkdown());
});

test("names in a type are quoted exactly where DuckDB does it", async () => {
  const keywords = await bare.connection.runAndReadAll("SELECT keyword_name FROM duckdb_keywords()");
  const names = [...keywords.getRows().map(([name]) => String(name)), "a b", "1a", "A", "_a", 'a"b', "é"];
  const wrong: string[] = [];
  for (const name of names) {
    const quoted = `"${name.replaceAll('"', '""')}"`;
    const answer = await bare.connection.runAndReadAll(`SELECT typeof(struct_pack(${quoted} := 1))`);
    if (answer.getRows()[0]?.[0] !== `STRUCT(${nameText(name)} INTEGER)`) wrong.push(name);
  }
  expect(wrong).toEqual([]);
});

describe.each(typeTable.filter(({ type }) => type !== "NULL"))("$type", ({ type, kind, arrow }) => {
  const samples = typeSamples[type] ?? [];

  test.each(samples)("%s has its type, kind and JSON form, alone and beside NULL", async (sql, json) => {
    const { columns, rows } = await readAll(subject.engine, withNulls([sql, json]));
    expect(rows).toEqual([[null], [json], [null], [json]]);
    const { type: columnType, kind: columnKind } = columns[0] ?? {};
    const engineType = await bare.connection.runAndReadAll(`SELECT typeof(${sql})`);
    expect(columnType).toBe(engineType.getRows()[0]?.[0]);
    expect(columnKind).toBe(kind);
  });

  test.each(samples)("%s comes back from Arrow as the engine has it", async (sql) => {
    const { table } = await readAll(subject.engine, withNulls([sql, undefined]));
    const data = table.getChildAt(0)?.data[0] as Data;
    expect(arrowTypeName(String(data.type))).toBe(arrowTypeName(arrow));
    expect(table.schema.fields[0]?.metadata.get("drover.type")).toBe(await typeOf(sql));
    const [first, second, , fourth] = [0, 1, 2, 3].map((row) => arrowToSql(data, row));
    expect(first).toBeUndefined();
    expect(fourth).toBe(second);
    await expectEqual(type, second, sql);
  });
});

test("integers in a VARIANT are numbers up to 2³² and strings above", async () => {
  const { rows } = await readAll(
    subject.engine,
    "SELECT 4294967295::BIGINT::VARIANT, 4294967297::BIGINT::VARIANT, NULL::VARIANT",
  );
  expect(rows).toEqual([["4294967295", '"4294967297"', null]]);
});

test("an interval with more time than Arrow can carry is refused there and given as rows", async () => {
  const text = "SELECT to_hours(2562048) AS v";
  const signal = new AbortController().signal;
  await using result = await subject.engine.query({ text, parameters: [] }, { signal });
  const batch = await result.next();
  expect(batch?.toRows()).toEqual([["PT2562048H"]]);
  expect(() => batch?.toArrow()).toThrow(expect.objectContaining({ reason: "VALUE_OUT_OF_RANGE" }));
});

test("columns of one name are told apart", async () => {
  const { columns } = await readAll(subject.engine, "SELECT 1 AS a, 2 AS a, 3 AS a_2, 4 AS a");
  expect(columns.map(({ name }) => name)).toEqual(["a", "a_3", "a_2", "a_4"]);
});

/** Four rows: NULL, the value, NULL, the value. */
function withNulls([sql]: Sample): string {
  return `SELECT v FROM range(4) t(i) LEFT JOIN (SELECT 1 AS k, ${sql} AS v) ON i % 2 = k ORDER BY i`;
}

async function typeOf(sql: string): Promise<unknown> {
  const answer = await bare.connection.runAndReadAll(`SELECT typeof(${sql})`);
  return answer.getRows()[0]?.[0];
}

// Infinite dates can't be made from their number of days; TIMETZ and VARIANT travel as a text that isn't the engine's.
const textTypes = new Set(["TIME WITH TIME ZONE", "VARIANT"]);

async function expectEqual(type: string, fromArrow: string | undefined, sql: string): Promise<void> {
  expect(fromArrow).toBeDefined();
  if (type === "VARIANT") return;
  const infinite = /infinity/.test(sql);
  if (infinite) {
    expect(fromArrow).toMatch(/2147483647|9223372036854775807/);
    return;
  }
  const original = type === "GEOMETRY" ? `ST_AsWKB(${sql})` : sql;
  const made = textTypes.has(type) || type === "BIT" ? `(${fromArrow})::${await typeOf(sql)}` : fromArrow;
  const question = `SELECT (${made})::VARCHAR, (${original})::VARCHAR, (${made}) IS NOT DISTINCT FROM (${original})`;
  const answer = await bare.connection.runAndReadAll(question);
  const [back, was] = answer.getRows()[0] ?? [];
  expect(back).toBe(was);
}

/** The table says in words what apache-arrow abbreviates. */
function arrowTypeName(text: string): string {
  const name = text.toLowerCase().replaceAll("[", "(").replaceAll("<", "(");
  if (name.startsWith("decimal")) return "decimal";
  return name.split(/[(,;]/)[0] ?? "";
}
