import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Connection } from "../../../src/engine/duckdb/connection.ts";
import { checkSql } from "../../../src/engine/duckdb/sandbox/check-sql.ts";
import { isAllowedFunction, isAllowedTableFunction } from "../../../src/engine/duckdb/sandbox/functions.ts";
import { renderSql } from "../../../src/engine/duckdb/sandbox/render-sql.ts";
import { DriverError } from "../../../src/errors/driver-error.ts";
import { type LockedReader, openLockedReader, SECRET } from "../../helpers/locked-reader.ts";

let reader: LockedReader;
let connection: Connection;
let forbiddenNames: readonly string[];
beforeAll(async () => {
  reader = await openLockedReader();
  connection = await reader.connect();
  const rows = await connection.raw.runAndReadAll("SELECT DISTINCT function_name FROM duckdb_functions()");
  forbiddenNames = rows
    .getRows()
    .map(([name]) => String(name))
    .filter((name) => /^\w+$/.test(name) && !isAllowedFunction(name) && !isAllowedTableFunction(name));
});
afterAll(async () => {
  connection[Symbol.dispose]();
  await reader[Symbol.asyncDispose]();
});

const check = (sql: string) => checkSql(connection, sql, { signal: AbortSignal.timeout(30_000) });

/** Parts of queries, harmless and not, to be put together at random. */
const words = [
  "SELECT",
  "FROM",
  "WHERE",
  "WITH",
  "AS",
  "(",
  ")",
  ",",
  "*",
  "trips",
  "zones",
  "empty",
  '"Trips"',
  "id",
  "zone",
  "t",
  "1",
  "'a'",
  "count(*)",
  "UNION ALL",
  "JOIN",
  "ON",
  "USING (zone)",
  "GROUP BY",
  "ORDER BY",
  "LIMIT",
  "CASE",
  "WHEN",
  "THEN",
  "END",
  "OVER",
  "[",
  "]",
  "{'a':",
  "}",
  "::INT",
  "=",
  "->",
  "lambda x:",
  "$1",
  "?",
  ";",
  "--",
  "/*",
  "*/",
  "\n",
  "RECURSIVE",
  "VALUES",
  "LATERAL",
  "unnest([1])",
  "read_text('OUT')",
  "read_csv('OUT')",
  "'OUT'",
  '"OUT"',
  "duckdb_settings()",
  "query('SELECT 1')",
  "getvariable('x')",
  "main.",
  "DESCRIBE",
  "PIVOT",
  "COPY",
  "TO",
  "ATTACH",
  "SET",
  "CALL",
  "EXISTS",
  "NOT",
  "IN",
  "BETWEEN",
  "AND",
  "nullif(",
  "range(",
  "repeat('a',",
  "'",
  '"',
  "$$",
  "E'\\'",
  "🔑",
  "\u00a0",
  "COLUMNS(*)",
  "TABLESAMPLE 10%",
  "AT (VERSION => 1)",
  "list_aggr([1], 'sum')",
  "QUALIFY",
  "HAVING",
];

const seeds = [
  "SELECT zone, count(*) FROM trips GROUP BY zone ORDER BY 2 DESC LIMIT 3",
  "WITH a AS (SELECT * FROM trips WHERE id > 3) SELECT a.zone, z.area FROM a JOIN zones z USING (zone)",
  "SELECT CASE WHEN id > 1 THEN 'x' ELSE upper(zone) END, sum(id) OVER (PARTITION BY zone ORDER BY id) FROM trips",
  "SELECT (SELECT max(area) FROM zones), [x * 2 FOR x IN legs] FROM trips, unnest(legs) u(l) WHERE zone IN ('a', 'b')",
];

/** A query in which some words were replaced, put in, doubled or left out. */
const mutated = fc
  .tuple(
    fc.constantFrom(...seeds),
    fc.array(fc.tuple(fc.nat(60), fc.constantFrom("put", "replace", "drop", "double"), fc.constantFrom(...words)), {
      minLength: 1,
      maxLength: 6,
    }),
  )
  .map(([seed, changes]) => {
    const parts = seed.split(/(?<=\W)|(?=\W)/);
    for (const [at, change, word] of changes) {
      const index = at % parts.length;
      if (change === "put") parts.splice(index, 0, ` ${word} `);
      if (change === "replace") parts[index] = ` ${word} `;
      if (change === "drop") parts.splice(index, 1);
      if (change === "double") parts.splice(index, 0, parts[index] ?? "");
    }
    return parts.join("");
  });

const soup = fc.array(fc.constantFrom(...words), { maxLength: 30 }).map((parts) => `SELECT ${parts.join(" ")}`);
const noise = fc.string({ unit: "binary", maxLength: 200 });

describe("the sandbox under random texts", () => {
  it("answers or refuses in words of its own, and what it lets through neither reads files nor changes them", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof({ weight: 5, arbitrary: mutated }, { weight: 2, arbitrary: soup }, noise),
        async (text) => {
          const sql = text.replaceAll("OUT", reader.insideFile);
          const checked = await check(sql).catch((error: unknown) => {
            expect(error).toBeInstanceOf(DriverError);
            expect((error as DriverError).reason).toMatch(/^SQL_(INVALID|FORBIDDEN)$/);
            return undefined;
          });
          if (!checked) return;
          const known = checked.datasets.every((dataset) =>
            reader.versions.some((version) => version.dataset === dataset),
          );
          if (!known) return;
          const { text: rendered } = renderSql(checked, new Array(checked.placeholders).fill(1), reader.versions);
          // The secret beside the segments could be read by whoever gets a file's name past the check.
          const rows = await connection
            .run(rendered, new Array(checked.placeholders).fill(1), { signal: AbortSignal.timeout(20_000) })
            .then((result) => result.getRowsJson())
            .catch((error: Error) => error.message);
          if (!sql.includes(SECRET)) expect(JSON.stringify(rows)).not.toContain(SECRET);
        },
      ),
      { numRuns: 1_500 },
    );
  });

  it("refuses every other function of the engine wherever an expression or a table may stand", async () => {
    const places = [
      (call: string) => `SELECT ${call}`,
      (call: string) => `FROM ${call}`,
      (call: string) => `SELECT * FROM trips, ${call} AS x`,
      (call: string) => `WITH x AS (SELECT ${call}) FROM x`,
      (call: string) => `SELECT list_transform([1], lambda x: ${call})`,
      (call: string) => `SELECT sum(${call}) OVER () FROM trips ORDER BY ${call}`,
      (call: string) => `SELECT ${call} OVER (PARTITION BY 1) FROM trips`,
      (call: string) => `SELECT CASE WHEN true THEN ${call} END FROM trips QUALIFY ${call} = 1`,
      (call: string) => `SELECT id FROM trips GROUP BY ${call} HAVING ${call} LIMIT ${call}`,
    ];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...forbiddenNames),
        fc.constantFrom(...places),
        fc.constantFrom("()", "(1)", "('x')", "('x', 1)", "(id, zone)"),
        fc.boolean(),
        async (name, place, args, quoted) => {
          const call = `${quoted ? `"${name}"` : name.toUpperCase()}${args}`;
          await expect(check(place(call))).rejects.toMatchObject({ reason: expect.stringMatching(/^SQL_/) });
        },
      ),
      { numRuns: 1_500 },
    );
  });
});
