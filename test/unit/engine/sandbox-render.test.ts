import { mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { describe, expect, it } from "vitest";
import { Connection } from "../../../src/engine/duckdb/connection.ts";
import { quoteIdentifier, quoteLiteral } from "../../../src/engine/duckdb/quoting.ts";
import { checkSql } from "../../../src/engine/duckdb/sandbox/check-sql.ts";
import { renderSql } from "../../../src/engine/duckdb/sandbox/render-sql.ts";
import { versionRelation } from "../../../src/engine/duckdb/version-relation.ts";
import type { ReadableVersion } from "../../../src/engine/engine.ts";
import { openLockedReader } from "../../helpers/locked-reader.ts";
import { temporaryFolder } from "../../helpers/temporary-folder.ts";

const empty: ReadableVersion = {
  dataset: "t",
  version: 1,
  columns: [
    { name: "a", type: "INTEGER", kind: "integer" },
    { name: 'b"', type: "DECIMAL(38,4)[]", kind: "nested" },
  ],
  segmentPaths: [],
};

describe("renderSql", () => {
  it("leaves the text as it is but for the names of datasets, and cuts the end", async () => {
    await using reader = await openLockedReader();
    using connection = await reader.connect();
    const sql = "SELECT 'trips' /* trips */ , trips.id FROM trips, (FROM zones) -- trips;\n ; ";
    const checked = await checkSql(connection, sql, { signal: AbortSignal.timeout(10_000) });
    const { text } = renderSql(checked, [], reader.versions);
    expect(text).toMatch(
      /^WITH "dataset 1" AS NOT MATERIALIZED \(SELECT \* FROM read_parquet\(.*\)\), "dataset 2" AS NOT MATERIALIZED \(SELECT \* FROM .*\) SELECT 'trips' \/\* trips \*\/ , trips\.id FROM "dataset 1" {2}AS "trips", \(FROM "dataset 2" {2}AS "zones"\) -- trips\n$/,
    );
  });

  it.each([
    "SELECT (SELECT max(id) FROM trips)",
    "SELECT EXISTS (FROM trips), 1 IN (SELECT id FROM trips)",
    "SELECT to_json(t) AS x FROM (SELECT (SELECT max(id) FROM trips AS z)) t",
    "SELECT t FROM (SELECT (SELECT max(id) FROM trips)) t",
  ])("tells nothing of where datasets are stored by what columns without a name are called: %s", async (sql) => {
    await using reader = await openLockedReader();
    using connection = await reader.connect();
    const checked = await checkSql(connection, sql, { signal: AbortSignal.timeout(10_000) });
    const { text } = renderSql(checked, [], reader.versions);
    const result = await connection.raw.runAndReadAll(text);
    const told = JSON.stringify([result.columnNames(), result.columnTypes().map(String), result.getRowsJson()]);
    expect(told).toContain("dataset 1");
    expect(told).not.toMatch(/parquet|resident/);
  });

  it.each([
    ["WITH a AS (FROM trips) SELECT count(*) FROM a"],
    ["/* ( */ with recursive r AS (SELECT 0 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 2) SELECT n FROM r, trips"],
    ["((WITH a AS (FROM trips) SELECT count(*) FROM a))"],
    ["(WITH a AS (FROM trips) SELECT count(*) FROM a) UNION ALL (SELECT 1 FROM trips)"],
    ['WITH "dataset 1" AS (SELECT 5 AS id) SELECT count(*) FROM "dataset 1", trips'],
    ['SELECT count(*) FROM trips"t" JOIN trips"u"USING(id)'],
    ["VALUES ((SELECT count(*) FROM trips))"],
    ["FROM trips"],
  ])("defines datasets where all of %s can see them", async (sql) => {
    await using reader = await openLockedReader();
    expect((await reader.ask(sql)).length).toBeGreaterThan(0);
  });

  it("wants as many values as placeholders, and a version for each dataset", () => {
    const checked = {
      sql: "FROM t WHERE a = ?",
      datasets: ["t"],
      tables: [{ dataset: "t", start: 5, end: 6, hasAlias: false }],
      definitions: { at: 0, opens: true, prefix: "dataset" },
      placeholders: 1,
    };
    expect(() => renderSql(checked, [], [empty])).toThrow("has 1 placeholders, but 0 values were given");
    expect(() => renderSql(checked, [1], [])).toThrow("no version was given for dataset t");
    expect(renderSql(checked, [1], [empty]).parameters).toEqual([1]);
  });

  it("hides what only files or only tables have", async () => {
    await using reader = await openLockedReader();
    for (const column of ["filename", "file_row_number", "file_index", "rowid"]) {
      await expect(reader.ask(`SELECT ${column} FROM trips`)).rejects.toThrow(/not found/);
      await expect(reader.ask(`SELECT ${column} FROM zones`)).rejects.toThrow(/not found/);
    }
  });

  it("gives bare words that the engine takes for functions only constants that tell nothing", async () => {
    await using reader = await openLockedReader();
    const words = "current_user, session_user, user, current_role, current_catalog, current_schema";
    expect(await reader.ask(`SELECT ${words}`)).toEqual([["duckdb", "duckdb", "duckdb", "duckdb", "memory", "main"]]);
  });
});

describe("versionRelation", () => {
  it("takes every path as it stands, whatever it is made of, and never another file", async () => {
    await using folder = await temporaryFolder();
    const instance = await DuckDBInstance.create(":memory:");
    using connection = await Connection.open(instance);
    const names = [
      "a.parquet",
      "x=1/b [1].parquet",
      "*.parquet",
      "?.parquet",
      "[!a].parquet",
      'o\'k "q".parquet',
      "é🔑{a,b}.parquet",
      "**/c.parquet",
      "back\\slash.parquet",
      " ~.parquet",
    ];
    for (const [index, name] of names.entries()) {
      const path = join(folder.path, name);
      await mkdir(dirname(path), { recursive: true });
      await connection.raw.run(`COPY (SELECT ${index} AS id) TO ${quoteLiteral(path)} (FORMAT parquet)`);
    }
    for (const [index, name] of names.entries()) {
      const relation = versionRelation({ ...empty, segmentPaths: [join(folder.path, name)] }, ["id"]);
      expect((await connection.raw.runAndReadAll(`FROM ${relation}`)).getRowsJson()).toEqual([[index]]);
    }
    const stars = join(folder.path, "*.parquet");
    await rm(stars);
    await expect(connection.raw.run(`FROM ${versionRelation({ ...empty, segmentPaths: [stars] })}`)).rejects.toThrow(
      /No files/,
    );
    expect(() => versionRelation({ ...empty, segmentPaths: ["a.parquet"] })).toThrow("is not absolute");
    instance.closeSync();
  });

  it("gives a version without segments its columns and no rows", async () => {
    const instance = await DuckDBInstance.create(":memory:");
    using connection = await Connection.open(instance);
    const result = await connection.raw.runAndReadAll(`FROM ${versionRelation(empty, ['b"', "a"])} AS t`);
    expect(result.columnNames()).toEqual(['b"', "a"]);
    expect(result.columnTypes().map(String)).toEqual(["DECIMAL(38,4)[]", "INTEGER"]);
    expect(result.currentRowCount).toBe(0);
    instance.closeSync();
  });
});

describe("quoting", () => {
  it("keeps every name and text as it is", async () => {
    const instance = await DuckDBInstance.create(":memory:");
    using connection = await Connection.open(instance);
    for (const text of ["a", 'a"b', "'; DROP TABLE x; --", "select", "", "\\", "é🔑\u200b", "\n\t", "$$", "''\"\""]) {
      const result = await connection.raw.runAndReadAll(
        `SELECT ${quoteLiteral(text)} AS ${quoteIdentifier(text || "x")}`,
      );
      expect(result.getRowsJson()).toEqual([[text]]);
      expect(result.columnNames()).toEqual([text || "x"]);
    }
    expect(() => quoteLiteral("a\0b")).toThrow("U+0000");
    expect(() => quoteIdentifier("\0")).toThrow("U+0000");
    instance.closeSync();
  });
});
