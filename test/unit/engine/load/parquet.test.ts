import { copyFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { LoadLab } from "../../../helpers/load-engine.ts";

let lab: LoadLab;
beforeAll(async () => {
  lab = await LoadLab.open();
});
afterAll(() => lab[Symbol.asyncDispose]());

async function parquet(name: string, select: string): Promise<string> {
  const path = `${lab.path}/${name}`;
  await lab.query(`COPY (${select}) TO '${path}' (FORMAT parquet)`);
  return path;
}

it("takes over all columns and types", async () => {
  const select = `SELECT 1::TINYINT AS a, 1.25::DECIMAL(20,4) AS b, 'x' AS c, DATE '1969-07-20' AS d, [1, 2] AS e,
    {'k': 'v'} AS f, TIMESTAMPTZ '2024-01-01 00:00:00+00' AS g, 'raw'::BLOB AS h, NULL::DOUBLE AS i, 2::UBIGINT AS "j k"`;
  const path = await parquet("types.parquet", select);
  const loaded = await lab.load(path);
  const described = await lab.query(`SELECT column_name, column_type FROM (DESCRIBE FROM '${path}')`);
  expect(Object.entries(loaded.types)).toEqual(described);
  expect(loaded.values).toEqual(await lab.query(`FROM '${path}'`));
  expect(loaded).toMatchObject({ rows: 1, rejectedRows: 0, warnings: [] });
});

it("keeps and converts the columns asked for", async () => {
  const path = await parquet("keep.parquet", "SELECT range AS n, range::VARCHAR AS t FROM range(3)");
  const loaded = await lab.load(path, { options: { columns: "t,n", types: "t=INTEGER" } });
  expect(loaded.values).toEqual([
    [0, "0"],
    [1, "1"],
    [2, "2"],
  ]);
});

it("says that a value does not fit a declared type", async () => {
  const path = await parquet("unfit.parquet", "SELECT 'x' AS t");
  expect(await lab.failure(path, { options: { types: "t=INTEGER" } })).toMatchObject({ reason: "LOAD_TYPE_MISMATCH" });
});

it("takes a file without rows for a dataset without rows", async () => {
  const path = await parquet("none.parquet", "SELECT 1 AS n WHERE false");
  expect(await lab.load(path)).toMatchObject({ rows: 0, segments: [], types: { n: "INTEGER" } });
});

it("reads several files of the same columns and refuses others", async () => {
  const one = await parquet("many-1.parquet", "SELECT 1 AS n");
  await copyFile(one, `${lab.path}/many-2.parquet`);
  expect((await lab.load(`${lab.path}/many-*.parquet`)).rows).toBe(2);
  const other = await parquet("many-3.parquet", "SELECT '1' AS n");
  expect(await lab.failure(`${lab.path}/many-*.parquet`)).toMatchObject({
    reason: "SCHEMA_MISMATCH",
    metadata: { file: other, column: "1" },
  });
});
