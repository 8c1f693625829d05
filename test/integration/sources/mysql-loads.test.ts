import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DriverError } from "../../../src/errors/driver-error.ts";
import type { Source } from "../../../src/sources/connector.ts";
import { mysql } from "../../../src/sources/mysql/connector.ts";
import type { RowFilter } from "../../../src/sources/row-filter.ts";
import { LoadLab } from "../../helpers/load-engine.ts";
import { mysqlDatabase, mysqlSource, type TestDatabase } from "../../helpers/mysql-database.ts";
import { labContext, loadSource } from "../../helpers/source-load.ts";

let db: TestDatabase;
let lab: LoadLab;
beforeAll(async () => {
  [db, lab] = await Promise.all([mysqlDatabase(), LoadLab.open()]);
  await db.run(
    `CREATE TABLE orders (id BIGINT UNSIGNED PRIMARY KEY, customer VARCHAR(20), amount DECIMAL(12,2), paid BIT(1), day DATE,
     at TIMESTAMP(3) NULL, waited TIME, state ENUM('open', 'done')) COMMENT 'what was ordered'`,
  );
  await db.run(`SET time_zone = '+00:00'`);
  await db.run(
    `INSERT INTO orders VALUES (1, 'Ann', 10.50, 1, '2024-01-01', '2024-01-01 10:00:00.5', '00:10:00', 'open'),
     (2, 'ann ', 20, 0, '2024-01-02', '2024-01-02 10:00:00', '01:10:00', 'done'), (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
     (18446744073709551615, '100%_!', 9999999999.99, 1, '2024-12-31', '2024-12-31 23:59:59.999', '23:00:00', 'open'),
     (5, 'Änn', 0, 0, '2024-06-01', '2024-06-01 00:00:00', '12:00:00', 'done')`,
  );
});
afterAll(async () => {
  await db?.[Symbol.asyncDispose]();
  await lab?.[Symbol.asyncDispose]();
});

const source = (options: Readonly<Record<string, unknown>>, more: Partial<Source> = {}) =>
  mysqlSource(db, options, more);

async function failure(asked: Source): Promise<DriverError> {
  return loadSource(lab, asked).then(
    () => {
      throw new Error("the load succeeded");
    },
    (error: unknown) => DriverError.from(error),
  );
}

/** The ids of the rows that a filter leaves. */
async function ids(filter: RowFilter, more: Partial<Source> = {}): Promise<readonly unknown[]> {
  const { values } = await loadSource(lab, source({ table: "orders", columns: ["id"] }, { filter, ...more }));
  return values.map(([id]) => (id === "18446744073709551615" ? "max" : Number(id)));
}

describe("a source in MySQL", () => {
  it("says what server there is, and what is in it", async () => {
    await db.run("CREATE VIEW paid_orders AS SELECT * FROM orders WHERE paid");
    await using session = await mysql.open(source({}), await labContext(lab));
    expect((await session.test()).description).toMatch(
      new RegExp(`^(?:MariaDB|MySQL) \\d+\\.\\d+\\.\\d+.*, (?:TLSv1\\.[23]|without TLS), database ${db.name}$`),
    );
    const tables = [];
    for await (const table of session.listTables?.() ?? []) if (table.schema === db.name) tables.push(table);
    expect(tables).toEqual([
      { schema: db.name, name: "orders", type: "table", rows: expect.any(Number), comment: "what was ordered" },
      { schema: db.name, name: "paid_orders", type: "view" },
    ]);
  });

  it("is a table of the URL's database or of a named one, a view or a query", async () => {
    expect((await loadSource(lab, source({ table: "orders" }))).rows).toBe(5);
    expect((await loadSource(lab, source({ table: `${db.name}.paid_orders` }))).rows).toBe(2);
    expect((await loadSource(lab, source({ table: "orders", schema: db.name }))).rows).toBe(5);
    const query =
      "WITH big AS (SELECT * FROM orders WHERE amount > 1) SELECT state, SUM(amount) AS `sum` FROM big GROUP BY state -- by state";
    const { types, values } = await loadSource(lab, source({ query }));
    expect(types).toEqual({ state: "VARCHAR", sum: "DECIMAL(34,2)" });
    expect(values).toEqual([
      ["done", "20.00"],
      ["open", "10000000010.49"],
    ]);
  });

  it("may have names and texts of any characters", async () => {
    const names = ["a`b", 'c"d', "e.f", "g h", "ü😀".replace("😀", "é"), "select", "__proto__", "?"];
    await db.run(
      `CREATE TABLE \`odd \`\`"'.table\` (${names.map((name) => `\`${name.replaceAll("`", "``")}\` INT`).join(", ")})`,
    );
    await db.run(`INSERT INTO \`odd \`\`"'.table\` VALUES (${names.map((_, index) => index).join(", ")})`);
    for (const transfer of ["text", "rows"]) {
      const { types, values } = await loadSource(lab, source({ table: `"odd \`""'.table"`, transfer }));
      expect(Object.keys(types)).toEqual(names);
      expect(values).toEqual([names.map((_, index) => index)]);
    }
    const { values } = await loadSource(lab, source({ query: "SELECT '?' AS a, 'b\\\\c' AS b, \"d\" AS c" }));
    expect(values).toEqual([["?", "b\\c", "d"]]);
  });

  it("keeps the columns that are asked for, in their order, with the types that are declared", async () => {
    const { types, values } = await loadSource(
      lab,
      source(
        { table: "orders", columns: ["amount", "id", "day"], types: { amount: "DECIMAL(10,1)", day: "VARCHAR" } },
        { filter: is("id", 1) },
      ),
    );
    expect(types).toEqual({ amount: "DECIMAL(10,1)", id: "UBIGINT", day: "VARCHAR" });
    expect(values).toEqual([["10.5", "1", "2024-01-01"]]);
    expect((await failure(source({ table: "orders", columns: ["Id"] }))).message).toMatch(/"Id".*did you mean.*id/i);
    expect((await failure(source({ table: "orders", types: { ids: "INTEGER" } }))).reason).toBe("UNKNOWN_COLUMN");
    expect((await failure(source({ table: "orders", types: { amount: "TINYINT" } }))).reason).toBe(
      "LOAD_TYPE_MISMATCH",
    );
  });

  it("without rows has its columns", async () => {
    await db.run("CREATE TABLE empty_table (a INT, b DATETIME(6))");
    const { rows, types } = await loadSource(lab, source({ table: "empty_table" }), { maxPartitions: 3 });
    expect(rows).toBe(0);
    expect(types).toEqual({ a: "INTEGER", b: "TIMESTAMP" });
  });

  it("may have as many columns as the server allows", async () => {
    const columns = Array.from({ length: 1_000 }, (_, index) => `c${index} TINYINT`);
    await db.run(`CREATE TABLE many (${columns.join(", ")})`);
    await db.run(`INSERT INTO many VALUES (${columns.map((_, index) => index % 100).join(", ")})`);
    for (const transfer of ["text", "rows"]) {
      const { values } = await loadSource(lab, source({ table: "many", transfer }));
      expect(values).toEqual([columns.map((_, index) => index % 100)]);
    }
  });

  it("may have a value of many megabytes, in packets that the protocol has to cut", async () => {
    await db.run("CREATE TABLE large (v LONGBLOB)");
    await db.run("SET GLOBAL max_allowed_packet = 67108864");
    const query = "SELECT REPEAT('x', 7000000) AS v UNION ALL SELECT 'y'";
    const { values } = await loadSource(lab, source({ query }), { orderBy: "length(v)" });
    expect(values.map(([value]) => String(value).length)).toEqual([1, 7_000_000]);
  });

  it("gives the same rows compressed", async () => {
    const asked = source({ table: "orders" });
    const { user, password } = db;
    const server = { name: "compressed", uri: `${db.url}?useCompression=true`, options: { user }, password };
    const compressed = await loadSource(lab, { ...asked, server });
    expect(compressed.values).toEqual((await loadSource(lab, asked)).values);
  });
});

it("values may be made by parsers of the raw texts", async () => {
  await db.run("CREATE TABLE raw_texts (id INT PRIMARY KEY, price VARCHAR(20), x TEXT)");
  await db.run(`INSERT INTO raw_texts VALUES (1, '1.234,50', '<a><b c="x,y">1</b></a>'), (2, NULL, NULL)`);
  const parsers = { price: "replace(replace(value, '.', ''), ',', '.')::DECIMAL(10,2)", x: "xml(a/b/@c)" };
  for (const transfer of ["text", "rows"]) {
    const { types, values } = await loadSource(lab, source({ table: "raw_texts", parsers, transfer }), {
      orderBy: "id",
    });
    expect(types).toMatchObject({ price: "DECIMAL(10,2)" });
    expect(values).toEqual([
      [1, "1234.50", "x,y"],
      [2, null, null],
    ]);
  }
});

const is = (column: string, value: string | number | boolean): RowFilter => ({
  kind: "compare",
  column,
  op: "equal",
  value,
});

describe("a load's filter", () => {
  it("runs in the database and means what it means for the dataset, whatever the collation makes equal", async () => {
    expect(await ids(is("customer", "ann "))).toEqual([2]);
    expect(await ids(is("customer", "Ann"))).toEqual([1]);
    expect(await ids({ kind: "in", column: "customer", values: ["Ann", "Änn", null] })).toEqual([1, 3, 5]);
    expect(
      await ids({ kind: "range", column: "customer", from: "B", fromExclusive: false, toExclusive: false }),
    ).toEqual([2, 5]);
    expect(await ids({ kind: "not", filter: is("customer", "Ann") })).toEqual([2, 5, "max"]);
    expect(await ids({ kind: "isNull", column: "state" })).toEqual([3]);
    expect(await ids(is("state", "done"))).toEqual([2, 5]);
  });

  it("matches texts by their characters", async () => {
    const text = (op: "contains" | "startsWith" | "endsWith" | "glob", value: string, ignoreCase = false) =>
      ids({ kind: "text", column: "customer", op, text: value, ignoreCase });
    expect(await text("contains", "%_!")).toEqual(["max"]);
    expect(await text("startsWith", "A")).toEqual([1]);
    expect(await text("startsWith", "a", true)).toEqual([1, 2]);
    expect(await text("startsWith", "ä", true)).toEqual([5]);
    expect(await text("endsWith", " ")).toEqual([2]);
    expect(await text("glob", "?nn")).toEqual([1, 5]);
  });

  it("keeps all digits, days and instants", async () => {
    expect(await ids(is("id", "18446744073709551615"))).toEqual(["max"]);
    expect(await ids(is("id", "18446744073709551614"))).toEqual([]);
    expect(await ids({ kind: "compare", column: "amount", op: "greaterOrEqual", value: "9999999999.99" })).toEqual([
      "max",
    ]);
    expect(await ids(is("paid", true))).toEqual([1, "max"]);
    expect(await ids(is("day", "2024-06-01"))).toEqual([5]);
    expect(await ids(is("at", "2024-01-01T12:00:00.5+02:00"))).toEqual([1]);
    expect(await ids({ kind: "compare", column: "at", op: "less", value: "2024-01-02T10:00:00Z" })).toEqual([1]);
    expect(await ids({ kind: "compare", column: "waited", op: "greater", value: "11:00" })).toEqual([5, "max"]);
  });

  it("compares with what is loaded: NULL for zero dates, the nearest FLOAT, the declared type", async () => {
    await db.run("SET SESSION sql_mode = ''");
    await db.run("CREATE TABLE odd (id INT, day DATE, at DATETIME NOT NULL, ratio FLOAT, digits VARCHAR(10))");
    await db.run(
      `INSERT INTO odd VALUES (1, '0000-00-00', '2024-01-00 10:00:00', 0.1, '9'), (2, '2024-02-29', '2024-02-29 10:00:00', 0.7, '10'),
       (3, NULL, '0000-00-00', NULL, '')`,
    );
    const oddIds = async (filter: RowFilter, options: Readonly<Record<string, unknown>> = {}) => {
      const asked = source({ table: "odd", columns: "id", zeroDates: "null", ...options }, { filter });
      return (await loadSource(lab, asked, { orderBy: "id" })).values.map(([id]) => id);
    };
    expect(await oddIds({ kind: "isNull", column: "day" })).toEqual([1, 3]);
    expect(await oddIds({ kind: "isNull", column: "at" })).toEqual([1, 3]);
    expect(await oddIds({ kind: "compare", column: "at", op: "less", value: "2025-01-01" })).toEqual([2]);
    expect(await oddIds({ kind: "in", column: "ratio", values: [0.1, "0.7"] })).toEqual([1, 2]);
    expect(await oddIds(is("digits", ""))).toEqual([3]);
    const below10 = { kind: "compare", column: "id", op: "less", value: "10" } as const;
    expect(await oddIds(below10)).toEqual([1, 2, 3]);
    expect(await oddIds(below10, { types: "id=VARCHAR" })).toEqual(["1"]);
    expect(await oddIds(is("ratio", "0.7"), { types: "ratio=DECIMAL(5,1)" })).toEqual([2]);
    for (const [filter, types] of [
      [{ kind: "compare", column: "digits", op: "greater", value: 9 }, "digits=BIGINT"],
      [is("day", "2024-13-45"), ""],
      [is("day", "10:00:00"), ""],
      [is("at", "2024-02-30T10:00:00"), ""],
    ] as const)
      expect((await failure(source({ table: "odd", types }, { filter }))).reason).toBe("INVALID_FILTER");
  });

  it("takes values as values", async () => {
    const evil = "' OR 1=1 -- \\' \" `";
    expect(await ids(is("customer", evil))).toEqual([]);
    for (const filter of [is("id", "1 OR 1=1"), is("day", "x' OR '1'='1"), is("at", "now()"), is("waited", "1); DROP")])
      expect((await failure(source({ table: "orders" }, { filter }))).reason).toBe("INVALID_FILTER");
    expect((await failure(source({ table: "orders" }, { filter: is("idd", 1) }))).reason).toBe("UNKNOWN_COLUMN");
  });

  it("and a limit hold for tables and queries", async () => {
    expect(await ids(is("state", "done"), { limit: 1 })).toHaveLength(1);
    const { rows } = await loadSource(lab, source({ query: "SELECT * FROM orders" }, { limit: 3 }), {
      maxPartitions: 4,
    });
    expect(rows).toBe(3);
  });
});

describe("a query of a source", () => {
  it.each([
    ["SELECT 1) AS q INTO OUTFILE '/tmp/drover-never' -- ", "SOURCE_QUERY_FAILED"],
    ["SELECT 1; DROP TABLE orders", "SOURCE_QUERY_FAILED"],
    ["DELETE FROM orders", "SOURCE_QUERY_FAILED"],
    ["SELECT 1 INTO @x", "SOURCE_QUERY_FAILED"],
    ["SELECT a FROM nowhere", "SOURCE_NOT_FOUND"],
    ["SELECT 1 AS a, 2 AS a", "SOURCE_QUERY_FAILED"],
    ["SELEKT", "SOURCE_QUERY_FAILED"],
  ])("%s is refused by the server before anything runs", async (query, reason) => {
    const error = await failure(source({ query }));
    expect(error.reason).toBe(reason);
    expect(error.metadata.sqlState).toMatch(/^\w{5}$/);
    expect(await db.run("SELECT COUNT(*) FROM orders")).toEqual([["5"]]);
  });

  it("can't write, even through a function that does", async () => {
    await db.run("CREATE FUNCTION writes() RETURNS INT MODIFIES SQL DATA BEGIN DELETE FROM orders; RETURN 1; END");
    const error = await failure(source({ query: "SELECT writes() AS w" }));
    expect(error.message).toMatch(/READ ONLY/);
    expect(await db.run("SELECT COUNT(*) FROM orders")).toEqual([["5"]]);
  });
});

it("a source that names nothing, or nothing that is there, is refused", async () => {
  expect((await failure(source({}))).reason).toBe("INVALID_SOURCE");
  expect((await failure(source({ table: "nowhere" }))).reason).toBe("SOURCE_NOT_FOUND");
  expect((await failure(source({ table: "orders", partitionColumn: "state" }))).reason).toBe("INVALID_OPTION");
});
