import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Connection } from "../../../src/engine/duckdb/connection.ts";
import { checkSql } from "../../../src/engine/duckdb/sandbox/check-sql.ts";
import { type LockedReader, openLockedReader } from "../../helpers/locked-reader.ts";

let reader: LockedReader;
let connection: Connection;
beforeAll(async () => {
  reader = await openLockedReader();
  connection = await reader.connect();
});
afterAll(async () => {
  connection[Symbol.dispose]();
  await reader[Symbol.asyncDispose]();
});

const check = (sql: string) => checkSql(connection, sql, { signal: AbortSignal.timeout(30_000) });

describe("checkSql", () => {
  it("names each dataset once, as the text spells it, and every place", async () => {
    const sql = `WITH c AS (FROM a) SELECT 'é🔑', * FROM c, "b ""1""" AS x, a JOIN A USING (id)`;
    const checked = await check(sql);
    expect(checked.datasets).toEqual(["a", 'b "1"', "A"]);
    expect(checked.tables.map(({ start, end, hasAlias }) => [sql.slice(start, end), hasAlias])).toEqual([
      ["a", false],
      ['"b ""1"""', true],
      ["a", false],
      ["A", false],
    ]);
  });

  it("scopes common table expressions as the engine does", async () => {
    const datasets = async (sql: string) => (await check(sql)).datasets;
    expect(await datasets("WITH a AS (FROM a), b AS (FROM a) FROM b, c")).toEqual(["a", "c"]);
    expect(await datasets("WITH a AS (FROM b), b AS (SELECT 1) FROM a")).toEqual(["b"]);
    expect(await datasets("FROM (WITH a AS (SELECT 1) FROM a) x, a")).toEqual(["a"]);
    expect(await datasets("WITH a AS (SELECT 1) SELECT (SELECT count(*) FROM a), EXISTS (FROM (FROM A))")).toEqual([]);
    expect(await datasets("(WITH a AS (SELECT 1 x) FROM a) UNION ALL SELECT x FROM a")).toEqual(["a"]);
    expect(await datasets("WITH a AS (SELECT 1 x) SELECT x FROM a UNION ALL SELECT x FROM a")).toEqual([]);
    expect(await datasets("WITH RECURSIVE a AS (FROM b UNION ALL SELECT a.* FROM a, c) FROM a")).toEqual(["b", "c"]);
    expect(await datasets("WITH RECURSIVE a AS (FROM a UNION ALL FROM a) FROM a")).toEqual(["a"]);
    expect(await datasets("WITH RECURSIVE a AS (FROM a) FROM a")).toEqual(["a"]);
    // The engine folds only ASCII letters.
    expect(await datasets('WITH "ä" AS (SELECT 1) FROM "Ä"')).toEqual(["Ä"]);
  });

  it("counts placeholders and refuses gaps among them", async () => {
    expect((await check("SELECT ?, ?, ?")).placeholders).toBe(3);
    expect((await check("SELECT $2, $1, $2")).placeholders).toBe(2);
    await expect(check("SELECT $1, $3")).rejects.toMatchObject({ reason: "SQL_INVALID", message: /\$2 is missing/ });
    await expect(check("SELECT $99999999999")).rejects.toMatchObject({ reason: expect.stringMatching(/^SQL_/) });
  });

  it("says where the text can't be understood, counting characters", async () => {
    await expect(check("SELECT 1,\n  '🔑', FRM x y z")).rejects.toMatchObject({
      reason: "SQL_INVALID",
      message: /line 2, column \d+/,
      metadata: { line: "2" },
    });
    await expect(check("SELECT '🔑é' ) FROM x")).rejects.toMatchObject({
      message: 'syntax error at or near ")" (line 1, column 13)',
      metadata: { offset: "13", column: "13" },
    });
  });

  it("names what is forbidden and where", async () => {
    await expect(check("SELECT 1,\n  read_text('x')")).rejects.toMatchObject({
      reason: "SQL_FORBIDDEN",
      message: "the function read_text is not allowed (line 2, column 3)",
      metadata: { function: "read_text", line: "2", column: "3" },
    });
    await expect(check("SELECT * FROM  duckdb_settings")).rejects.toMatchObject({
      message: "the system table duckdb_settings can't be read (line 1, column 16)",
    });
  });

  it("stops when it is told to", async () => {
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(checkSql(connection, "SELECT 1", { signal })).rejects.toThrow("enough");
  });
});

describe("functions that make long values", () => {
  const allowed = [
    "lpad(x, 10000, '0')",
    "x.rpad(9, ' ')",
    "range(10)",
    "range(-5, 5)",
    "generate_series(1, 10000)",
    "range(0, 1000000, 1000)",
    "range(10, 0, -1)",
    "repeat('ab', 5000)",
    "printf('%08.3f%%', 1.5)",
    "format('{} {:>12} {{}}', 1, 2)",
    "list_resize(x, 10)",
  ];
  it.each(allowed.map((sql) => [sql]))("allows %s", async (sql) => {
    await check(`SELECT ${sql} FROM t`);
  });

  const refused = [
    "lpad(x, 10001, '0')",
    "lpad(x, n, '0')",
    "lpad(x, 1e9::INT, '0')",
    "x.lpad(10001)",
    "x.lpad(n)",
    "rpad('a', $1)",
    "range(10001)",
    "range(n)",
    "range(0, 1000000, 10)",
    "range(5, -1000000, -1)",
    "range(-1000000, 0)",
    "range(99999999999)",
    "range(1, 2, 0)".replace("0)", "n)"),
    "generate_series(a, b, INTERVAL 1 SECOND)",
    "n.range(5)",
    "repeat('ab', 5001)",
    "repeat(x, 2)",
    "repeat('a', n)",
    "printf('%1000000000d', 1)",
    "printf('%*d', 1000000000, 1)",
    `printf('%1000000000d'${", 1".repeat(30)}, 'harmless')`,
    `printf(x${", 1".repeat(30)}, 'harmless')`,
    `lpad(x, 99999${", 1".repeat(30)})`,
    "printf(x, 1)",
    "format('{:1000000}', 1)",
    "format('{:{}}', 1, 1000000)",
    "format(x, 1)",
    "list_resize(x, n)",
    "array_resize(x, 99999)",
    "bitstring('1', 2000000000)",
    "REPEAT(x, 9)",
    "main.repeat(x, 9)",
  ];
  it.each(refused.map((sql) => [sql]))("refuses %s", async (sql) => {
    await expect(check(`SELECT ${sql} FROM t`)).rejects.toMatchObject({
      reason: "SQL_FORBIDDEN",
      message: /not allowed so/,
    });
  });
});

const times = (count: number, text: string) => text.repeat(count);
const nested = (count: number, before: string, inner: string, after: string) =>
  times(count, before) + inner + times(count, after);

/** Texts that would make the engine work without end or run out of stack before it could be interrupted. */
const bombs: Readonly<Record<string, string>> = {
  "nested parentheses": `SELECT ${nested(50_000, "(", "1", ")")}`,
  "a long sum": `SELECT 1${times(5_000, " + 1")}`,
  "nested calls": `SELECT ${nested(2_000, "abs(", "1", ")")}`,
  "nested subqueries": `SELECT * FROM ${nested(400, "(SELECT * FROM ", "t", ")")}`,
  "nested scalar subqueries": `SELECT ${nested(300, "(SELECT ", "1", ")")}`,
  "nested lists": `SELECT ${nested(600, "[", "1", "]")}`,
  "nested types": `SELECT 1::INT${times(700, "[]")}`,
  "nested comments": `SELECT 1 ${nested(50_000, "/*", "", "*/")}`,
  "signs in a row": `SELECT ${times(400_000, "+-")}1`,
  "a long text": `SELECT '${times(1_000_001, "a")}'`,
  "many expressions": `SELECT a${times(200_000, ",a")} FROM t`,
  "nested macros": `SELECT ${nested(30, "nullif(", "a", ", 1)")} FROM t`,
  "other nested macros": `SELECT ${nested(30, "split_part(", "a", ", ',', 1)")} FROM t`,
  "nested BETWEEN": `SELECT ${nested(30, "(", "a", " BETWEEN 1 AND 2)::INT")} FROM t`,
  "nested lambdas": `SELECT ${times(30, "list_transform([1], lambda x: ")}1${times(30, ")")}`,
  "names that double": `SELECT a AS a0${Array.from({ length: 40 }, (_, i) => `, a${i} + a${i} AS a${i + 1}`).join("")} FROM t`,
  "nested CASE operands": `SELECT ${nested(30, "CASE ", "a", " WHEN 1 THEN 1 WHEN 2 THEN 2 END")} FROM t`,
  "CASE operands behind keys called END": `SELECT ${nested(30, "CASE {end: 1, x: ", "a", "} WHEN 1 THEN 1 WHEN 2 THEN 2 END")} FROM t`,
  "CASE operands behind slices": `SELECT ${nested(30, "CASE (x[CASE 1 WHEN 1 THEN 1 END:2], ", "a", ") WHEN 1 THEN 1 WHEN 2 THEN 2 END")} FROM t`,
  "CASE operands behind texts": `SELECT ${nested(30, "CASE E'\\' end' || 'when' || ", "a", " WHEN 1 THEN 1e5WHEN 2 THEN 2END")} FROM t`,
};

describe("texts that would wear the engine out", () => {
  it.each(Object.entries(bombs))("are refused: %s", async (_, sql) => {
    await expect(check(sql)).rejects.toMatchObject({ reason: "SQL_INVALID" });
  });

  it("are not confused with long harmless ones", async () => {
    await check(`SELECT id IN (${times(100_000, "1,")}'a') FROM t`);
    await check(`SELECT ${Array.from({ length: 2_000 }, (_, i) => `c${i}`).join(", ")} FROM t`);
    await check(
      `SELECT ${times(300, "CASE a WHEN 1 THEN 'x' WHEN 2 THEN 'y' ELSE CASE WHEN b THEN 1 END END, ")} 1 FROM t`,
    );
    await check(`SELECT CASE a ${times(2_000, "WHEN 1 THEN 2 ")} END FROM t`);
    await check(`SELECT 1 WHERE ${times(2_000, "a = 1 OR ")} true`);
    await check(`SELECT a${times(200, " || 'x'")} FROM t`);
    await check(`/*${times(500, "*")}*/ SELECT 1 --${times(500, "-")}`);
    await check(`SELECT '${times(900_000, "é")}'`);
    await check(`SELECT 1${times(300_000, " ")}, 2${times(300_000, "\n")}`);
  });
});
