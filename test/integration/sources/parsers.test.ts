import { readdir } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { failureOf, LoadLab } from "../../helpers/load-engine.ts";
import { openLoadBench } from "../../helpers/load-service.ts";
import { mysqlDatabase, mysqlSource, type TestDatabase } from "../../helpers/mysql-database.ts";
import { type PostgresDatabase, postgresDatabase } from "../../helpers/postgres-database.ts";
import { loadSource, type SourceLoad } from "../../helpers/source-load.ts";

const MODULE = `
export const euros = (text) => {
  if (text === "bad") throw new Error("no price");
  return text === null ? null : text.replace(/[^0-9.]/g, "");
};
export const never = () => { for (;;); };
`;
const TABLE = `CREATE TABLE orders (id int PRIMARY KEY, price varchar(50), doc text, day date, flags varchar(50))`;
const ROWS = `INSERT INTO orders VALUES
  (1, '€ 12.50', '<o><l sku="a">1</l><l sku="b">2</l></o>', '2024-01-31', 'x|y'),
  (2, NULL, NULL, NULL, ''),
  (3, '"7", €', '<o/>', '2024-02-29', 'z')`;

let lab: LoadLab;
let modules: readonly string[];
let postgres: PostgresDatabase;
let mysql: TestDatabase;

beforeAll(async () => {
  [lab, postgres, mysql] = await Promise.all([LoadLab.open(), postgresDatabase(), mysqlDatabase()]);
  modules = [await lab.file("parsers.mjs", MODULE)];
  for (const db of [postgres, mysql]) {
    await db.run(TABLE);
    await db.run(ROWS);
    await db.run("CREATE TABLE many (id int PRIMARY KEY, price varchar(50))");
  }
  await postgres.run("INSERT INTO many SELECT i, '€ ' || i FROM generate_series(1, 20000) i");
  await mysql.run("SET max_recursive_iterations = 100000");
  await mysql.run(
    "INSERT INTO many WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 20000) SELECT i, concat('€ ', i) FROM n",
  );
});
afterAll(async () => {
  await postgres[Symbol.asyncDispose]();
  await mysql[Symbol.asyncDispose]();
  await lab[Symbol.asyncDispose]();
});

describe.each(["postgres", "mysql", "mysql by rows"])("value parsers over columns of %s", (name) => {
  const source = (options: Record<string, unknown>) =>
    name === "postgres"
      ? postgres.source(options)
      : mysqlSource(mysql, { ...options, ...(name === "mysql by rows" && { transfer: "rows" }) });
  const load = (options: Record<string, unknown>, maxPartitions = 1): Promise<SourceLoad> =>
    loadSource(lab, source(options), { maxPartitions, parsers: { modules, timeoutMs: 60_000 } });

  it("make values in SQL, in JavaScript and of XML", async () => {
    const { types, values } = await load({
      table: "orders",
      "parsers.price": "js:euros",
      "types.price": "DECIMAL(18,2)",
      "parsers.doc": "xml(o/l/@sku[])",
      "parsers.day": "strftime(value::DATE, '%Y/%m')",
      "parsers.flags": "string_split(value, '|')",
    });
    expect(types).toMatchObject({ price: "DECIMAL(18,2)", doc: "VARCHAR[]", day: "VARCHAR", flags: "VARCHAR[]" });
    expect(values).toEqual([
      [1, "12.50", ["a", "b"], "2024/01", ["x", "y"]],
      [2, null, null, null, [""]],
      [3, "7.00", [], "2024/02", ["z"]],
    ]);
  });

  it("work in every part of a table", async () => {
    const options = {
      table: "many",
      partitionColumn: "id",
      partitions: 3,
      "parsers.price": "js:euros",
      "types.price": "INTEGER",
    };
    const { from, partRows } = await load(options, 3);
    expect(partRows.length).toBe(3);
    expect(await lab.query(`SELECT count(*), sum(price - id)::INTEGER FROM ${from}`)).toEqual([["20000", 0]]);
  });

  it("name row, column and value of what they fail at", async () => {
    const bad = { query: "SELECT id, CASE id WHEN 3 THEN 'bad' ELSE price END AS price FROM orders ORDER BY id" };
    expect(await failureOf(load({ ...bad, "parsers.price": "js:euros" }))).toMatchObject({
      reason: "VALUE_PARSER_FAILED",
      metadata: { row: "3", column: "price", value: "bad" },
    });
    const inSql = await failureOf(load({ ...bad, "parsers.price": "coalesce(replace(value, '€ ', ''), '0')::DOUBLE" }));
    expect(inSql.message).toMatch(/^the rows of the source, line 3, column "price": the parser fails at "bad": /);
    expect(inSql).toMatchObject({
      reason: "VALUE_PARSER_FAILED",
      metadata: { line: "3", column: "price", value: "bad" },
    });
    expect(await failureOf(load({ table: "orders", "parsers.prise": "value" }))).toMatchObject({
      reason: "UNKNOWN_COLUMN",
    });
    expect(await failureOf(load({ table: "orders", "parsers.price": "getenv(value)" }))).toMatchObject({
      reason: "SQL_FORBIDDEN",
    });
  });
});

describe("a load in a worker", () => {
  it("runs the modules that the configuration names, and leaves nothing where it fails", async () => {
    // A function that ends has time enough on a slow machine; one that does not is waited for as long.
    await using bench = await openLoadBench({ parsers: { modules, timeoutMs: 5_000 } });
    const csv = await lab.file("prices.csv", "id,price\n1,€ 5\n2,€ 7.5\n");
    const end = async (uri: string, options: Record<string, unknown>) =>
      bench.end((await bench.start("prices", uri, { options })).operation.id);
    expect(await end(csv, { "parsers.price": "js:euros" })).toMatchObject({ state: "succeeded", outcome: { rows: 2 } });
    expect(await bench.rows("prices")).toEqual(['["1",5]', '["2",7.5]']);
    const laughs = await lab.file("laughs.xml", `<!DOCTYPE r [<!ENTITY l "lol">]><r><i>&l;</i></r>`);
    const cut = await lab.file("cut.xml", `<r>${"<i><a>1</a></i>".repeat(50_000)}<i><a>`);
    for (const [uri, options, reason] of [
      [csv, { "parsers.price": "js:never" }, "VALUE_PARSER_FAILED"],
      [csv, { "parsers.price": "value::DATE" }, "VALUE_PARSER_FAILED"],
      [laughs, {}, "XML_ENTITIES"],
      [cut, {}, "MALFORMED_XML"],
    ] as const) {
      expect(await end(uri, options)).toMatchObject({ state: "failed", error: { reason } });
      expect(await bench.rows("prices")).toHaveLength(2);
    }
    const folders = await readdir(bench.dataDirectory, { recursive: true });
    expect(folders.filter((folder) => /staging\/.+\/.+/.test(folder))).toEqual([]);
  });
});
