import { readFile } from "node:fs/promises";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { boundedFunctions } from "../../../src/engine/duckdb/sandbox/bounded-calls.ts";
import { macroCopies } from "../../../src/engine/duckdb/sandbox/expansion.ts";
import {
  functionGroups,
  isAllowedFunction,
  isAllowedTableFunction,
  tableFunctions,
} from "../../../src/engine/duckdb/sandbox/functions.ts";
import { sqlFunctionsMarkdown } from "../../../src/engine/duckdb/sandbox/sql-markdown.ts";

let instance: DuckDBInstance;
let connection: DuckDBConnection;
beforeAll(async () => {
  instance = await DuckDBInstance.create(":memory:");
  connection = await instance.connect();
});
afterAll(() => {
  connection.closeSync();
  instance.closeSync();
});

async function engineFunctions(types: string): Promise<readonly string[]> {
  const sql = `SELECT DISTINCT lower(function_name) FROM duckdb_functions() WHERE function_type IN (${types})`;
  return (await connection.runAndReadAll(sql)).getRows().map(([name]) => String(name));
}

/** Names that must never be callable, whatever list they might slip into. */
const forbidden =
  /^read|scan|glob|sniff|parquet|^query|execute|serialize|setting|variable|getenv|^pg_(?!typeof)|duckdb|pragma|secret|nextval|currval|current_(query|connection|transaction|schema|database|catalog|user|role|setting)|sleep|write_|_log|checkpoint|seed|attach|install|extension|arrow|version|summary|storage|aggr$|^(list|array)_aggregate$|^aggregate$|^stats$|^has_|inet_|test_|vector_type|__internal/;

/** Their names only look like those. */
const harmlessAllTheSame = ["greatest_common_divisor", "uuid_extract_version"];

describe("the allow-list of functions", () => {
  it("names no function twice", () => {
    const names = functionGroups.flatMap((group) => group.names);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });

  it("names only functions that the engine has", async () => {
    // `->` and unnest are bound by the engine itself.
    const known = new Set([...(await engineFunctions("'scalar', 'aggregate', 'macro'")), "unnest", "->"]);
    const unknown = functionGroups.flatMap(({ names }) => names).filter((name) => !known.has(name));
    expect(unknown).toEqual([]);
    const tables = new Set(await engineFunctions("'table'"));
    expect(tableFunctions.names.filter((name) => !tables.has(name))).toEqual([]);
  });

  it("names nothing that reads files, settings or the catalog, or runs text", async () => {
    const all = await engineFunctions("'scalar', 'aggregate', 'macro', 'table', 'table_macro', 'pragma'");
    const dangerous = all.filter((name) => forbidden.test(name));
    expect(dangerous.length).toBeGreaterThan(100);
    const allowed = dangerous.filter((name) => isAllowedFunction(name) || isAllowedTableFunction(name));
    expect(allowed.sort()).toEqual(harmlessAllTheSame);
  });

  it("has no volatile function but those of chance and errors", async () => {
    const sql = "SELECT DISTINCT function_name FROM duckdb_functions() WHERE stability = 'VOLATILE'";
    const volatile = (await connection.runAndReadAll(sql)).getRows().map(([name]) => String(name));
    expect(volatile.filter(isAllowedFunction).sort()).toEqual([
      "error",
      "gen_random_uuid",
      "random",
      "uuid",
      "uuidv4",
      "uuidv7",
    ]);
  });

  it("knows how often each of the engine's macros copies an argument", async () => {
    const sql = `SELECT lower(function_name), parameters, macro_definition FROM duckdb_functions() WHERE function_type = 'macro'`;
    const rows = (await connection.runAndReadAll(sql)).getRowsJson();
    for (const [name, parameters, definition] of rows as [string, string[], string][]) {
      if (!isAllowedFunction(name)) continue;
      const text = definition.replaceAll(/'[^']*'/g, "").replaceAll('"', "");
      const copies = parameters.map((p) => text.split(new RegExp(`\\b${p}\\b(?!\\s*[(:])`)).length - 1);
      expect([name, macroCopies[name] ?? 1]).toEqual([name, Math.max(1, macroCopies[name] ?? 1, ...copies)]);
    }
  });

  it("bounds only functions that it allows", () => {
    expect(boundedFunctions.filter((name) => !isAllowedFunction(name))).toEqual([]);
  });

  it("is what docs/sql.md says", async () => {
    expect(await readFile("docs/sql.md", "utf8")).toBe(sqlFunctionsMarkdown());
  });
});
