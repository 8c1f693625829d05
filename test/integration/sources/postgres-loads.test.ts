import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Source, SourceTable } from "../../../src/sources/connector.ts";
import { postgres } from "../../../src/sources/postgres/connector.ts";
import type { RowFilter } from "../../../src/sources/row-filter.ts";
import { failureOf, LoadLab } from "../../helpers/load-engine.ts";
import { type PostgresDatabase, postgresDatabase } from "../../helpers/postgres-database.ts";
import { labContext, loadSource, type SourceLoadOptions } from "../../helpers/source-load.ts";

let db: PostgresDatabase;
let lab: LoadLab;

beforeAll(async () => {
  [db, lab] = await Promise.all([postgresDatabase(), LoadLab.open()]);
  await db.run(`CREATE TABLE orders (id int PRIMARY KEY, day date, price numeric(12,2), city text, ratio float8);
    INSERT INTO orders
      SELECT i, CASE WHEN i % 10 = 0 THEN NULL ELSE DATE '2024-01-01' + i % 366 END, i / 4.0,
        CASE i % 4 WHEN 0 THEN 'New York' WHEN 1 THEN 'it''s' WHEN 2 THEN '50%_\\' ELSE NULL END,
        CASE i % 100 WHEN 0 THEN 'NaN' WHEN 1 THEN 'Infinity' ELSE i::float8 END
      FROM generate_series(1, 20000) i;
    ANALYZE orders;
    CREATE VIEW cheap AS SELECT * FROM orders WHERE price < 1000`);
});
afterAll(async () => {
  await lab[Symbol.asyncDispose]();
  await db[Symbol.asyncDispose]();
});

const load = (options: Record<string, unknown>, more: SourceLoadOptions = {}, rest: Partial<Source> = {}) =>
  loadSource(lab, { ...db.source(options), ...rest }, more);
const failure = (options: Record<string, unknown>, rest: Partial<Source> = {}) => failureOf(load(options, {}, rest));
const one = async (sql: string) => (await db.run(sql))[0]?.[0];

describe("parts of a table", () => {
  it("hold every row once and see one moment, whatever is written meanwhile", async () => {
    await db.run("CREATE TABLE moving AS SELECT i AS id, 1 AS amount FROM generate_series(1, 10000) i");
    const beforeReading = () =>
      db.run("DELETE FROM moving WHERE id % 2 = 0; UPDATE moving SET amount = 5; INSERT INTO moving VALUES (0, 7)");
    const { plan, partRows, from } = await load(
      { table: "moving", partitions: 4 },
      { maxPartitions: 4, beforeReading: async () => void (await beforeReading()) },
    );
    expect(plan.partitions).toHaveLength(4);
    expect(partRows.every((rows) => rows > 0)).toBe(true);
    const [row] = await lab.query(`SELECT count(*), count(DISTINCT id), sum(amount)::BIGINT FROM ${from}`);
    expect(row).toEqual(["10000", "10000", "10000"]);
  });

  it.each([
    ["a key", { table: "orders", partitionColumn: "id" }],
    ["dates with NULLs", { table: "orders", partitionColumn: "day" }],
    ["decimals", { table: "orders", partitionColumn: "price" }],
    ["numbers with NaN and infinity", { table: "orders", partitionColumn: "ratio" }],
    ["texts", { table: "orders", partitionColumn: "city" }],
    ["a view's numbers, without statistics", { table: "cheap", partitionColumn: "id" }],
    ["a view's dates", { table: "cheap", partitionColumn: "day" }],
    ["a view's floats that are not all finite", { table: "cheap", partitionColumn: "ratio" }],
    ["a query's texts", { query: "SELECT * FROM orders", partitionColumn: "city" }],
    ["a query's times", { query: "SELECT id, day + time '10:00' AS at FROM orders", partitionColumn: "at" }],
    ["a query without rows", { query: "SELECT * FROM orders WHERE false", partitionColumn: "id" }],
  ])("by %s hold every row once", async (_, options) => {
    const { from, plan, partRows } = await load({ ...options, partitions: 3 }, { maxPartitions: 3 });
    const all = "query" in options ? `(${options.query}) q` : options.table;
    const written = partRows.some((rows) => rows > 0);
    const [row] = written ? await lab.query(`SELECT count(*), count(DISTINCT id) FROM ${from}`) : [["0", "0"]];
    expect(row).toEqual(Array(2).fill(await one(`SELECT count(*) FROM ${all}`)));
    expect(plan.partitions.length).toBeGreaterThan(written ? 1 : 0);
  });

  it("of a partitioned table, and of one that others inherit from, hold every row once", async () => {
    await db.run(`CREATE TABLE parted (id int, at date) PARTITION BY RANGE (at);
      CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
      CREATE TABLE parted_2 PARTITION OF parted DEFAULT;
      INSERT INTO parted SELECT i, date '2024-01-01' + i % 50 FROM generate_series(1, 20000) i;
      CREATE TABLE parent (id int); CREATE TABLE child () INHERITS (parent);
      INSERT INTO parent SELECT generate_series(1, 3000); INSERT INTO child SELECT generate_series(3001, 10000)`);
    for (const [table, count] of [
      ["parted", "20000"],
      ["parent", "10000"],
    ] as const) {
      const { from, partRows } = await load({ table, partitions: 3 }, { maxPartitions: 3 });
      expect(await lab.query(`SELECT count(*), count(DISTINCT id) FROM ${from}`)).toEqual([[count, count]]);
      expect(partRows.filter((rows) => rows > 0)).toHaveLength(3);
    }
  });

  it("of a partitioned table keep its parts in their places until all sessions have read", async () => {
    await db.run(`CREATE TABLE kept (id int) PARTITION BY RANGE (id);
      CREATE TABLE kept_1 PARTITION OF kept DEFAULT;
      INSERT INTO kept SELECT generate_series(1, 5000)`);
    const source = db.source({ table: "kept", partitions: 2 });
    await using other = await postgres.open(source, await labContext(lab));
    {
      await using first = await postgres.open(source, await labContext(lab));
      const { shared } = await first.plan({ maxPartitions: 2, preview: false });
      await other.join?.(shared ?? {});
    }
    const rewrite = db.run("DO $$ BEGIN LOCK TABLE kept_1 IN ACCESS EXCLUSIVE MODE NOWAIT; END $$");
    await expect(rewrite).rejects.toThrow("could not obtain lock");
  });

  it("are not made by a column that has no order, or that there is not", async () => {
    await db.run("CREATE TABLE points AS SELECT 1 AS id, point(1, 2) AS p");
    const options = { table: "points", partitions: 2 };
    expect(await failureOf(load({ ...options, partitionColumn: "p" }, { maxPartitions: 2 }))).toMatchObject({
      reason: "INVALID_OPTION",
      metadata: { option: "partitionColumn" },
    });
    expect(await failure({ ...options, partitionColumn: "pp" })).toMatchObject({ reason: "UNKNOWN_COLUMN" });
  });
});

describe("what a load wants", () => {
  it.each<[RowFilter, string]>([
    [{ kind: "compare", column: "id", op: "less", value: 5 }, "id < 5"],
    [{ kind: "compare", column: "id", op: "less", value: "4.5" }, "id < 4.5"],
    [{ kind: "compare", column: "price", op: "equal", value: "1.25" }, "price = 1.25"],
    [{ kind: "compare", column: "day", op: "greaterOrEqual", value: "2024-12-25" }, "day >= '2024-12-25'"],
    [{ kind: "compare", column: "city", op: "equal", value: "it's" }, "city = 'it''s'"],
    [{ kind: "compare", column: "city", op: "equal", value: "'; DROP TABLE orders; --" }, "false"],
    [{ kind: "not", filter: { kind: "compare", column: "city", op: "equal", value: "it's" } }, "city <> 'it''s'"],
    [{ kind: "in", column: "city", values: ["New York", null] }, "city = 'New York' OR city IS NULL"],
    [
      { kind: "range", column: "id", from: 10, to: 20, fromExclusive: true, toExclusive: false },
      "id > 10 AND id <= 20",
    ],
    [{ kind: "isNull", column: "day" }, "day IS NULL"],
    [{ kind: "text", column: "city", op: "contains", text: "%_\\", ignoreCase: false }, "city = '50%_\\'"],
    [{ kind: "text", column: "city", op: "startsWith", text: "new", ignoreCase: true }, "city = 'New York'"],
    [{ kind: "text", column: "city", op: "startsWith", text: "new", ignoreCase: false }, "false"],
    [{ kind: "text", column: "city", op: "glob", text: "N?w*k", ignoreCase: false }, "city = 'New York'"],
    [{ kind: "any", filters: [] }, "false"],
  ])("of its rows is asked of the database: %j", async (filter, sql) => {
    const { values } = await load({ table: "orders", columns: "id" }, {}, { filter });
    const expected = await db.run(`SELECT id FROM orders WHERE ${sql} ORDER BY id`);
    expect(values).toEqual(expected.map(([id]) => [Number(id)]));
  });

  it("of its columns and rows is taken in the order that was given, at most as many as asked for", async () => {
    const { types, rows } = await load({ table: "orders", columns: "city,id", partitions: 3 }, {}, { limit: 7 });
    expect(types).toEqual({ city: "VARCHAR", id: "INTEGER" });
    expect(rows).toBe(7);
  });

  it.each<[RowFilter, string]>([
    [{ kind: "isNull", column: "ID" }, "UNKNOWN_COLUMN"],
    [{ kind: "compare", column: "id", op: "equal", value: "many" }, "INVALID_FILTER"],
    [{ kind: "compare", column: "day", op: "less", value: "2024-02-31" }, "INVALID_FILTER"],
    [{ kind: "compare", column: "id", op: "equal", value: null }, "INVALID_FILTER"],
  ])("is refused before anything is read where it can't be: %j", async (filter, reason) => {
    expect((await failure({ table: "orders" }, { filter })).reason).toBe(reason);
  });

  it("of its rows means what it means for the dataset, whatever the collation makes equal or how it sorts", async () => {
    await db.run(`CREATE COLLATION anyhow (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
      CREATE TABLE names (id int, a text COLLATE "en-US-x-icu", b text COLLATE anyhow, c char(5), n text, at timestamp);
      INSERT INTO names VALUES (1, 'a', 'ann', 'x', '9', '2024-01-01 10:00'), (2, 'B', 'Ann', 'x', '10', NULL),
        (3, 'ä', NULL, 'y', NULL, NULL)`);
    const compare = (column: string, op: "equal" | "notEqual" | "less" | "greater", value: string): RowFilter => ({
      ...{ kind: "compare", column, op, value },
    });
    const ids = async (filter: RowFilter, options = {}) => {
      const { values } = await load({ table: "names", columns: "id", ...options }, { orderBy: "id" }, { filter });
      return values.map(([id]) => id);
    };
    expect(await ids(compare("a", "less", "a"))).toEqual([2]);
    expect(
      await ids({ kind: "range", column: "a", from: "B", to: "b", fromExclusive: true, toExclusive: false }),
    ).toEqual([1]);
    expect(await ids(compare("b", "equal", "Ann"))).toEqual([2]);
    expect(await ids(compare("b", "notEqual", "Ann"))).toEqual([1]);
    expect(await ids({ kind: "in", column: "b", values: ["ANN", null] })).toEqual([3]);
    expect(await ids({ kind: "not", filter: compare("b", "equal", "ANN") })).toEqual([1, 2]);
    expect(await ids(compare("c", "equal", "x"))).toEqual([]);
    expect(await ids(compare("c", "equal", "x    "))).toEqual([1, 2]);
    expect(await ids({ kind: "text", column: "c", op: "endsWith", text: " ", ignoreCase: false })).toEqual([1, 2, 3]);
    const query = "SELECT 1 AS id, inet '10.0.0.1' AS ip";
    const ending: RowFilter = { kind: "text", column: "ip", op: "endsWith", text: ".1", ignoreCase: false };
    expect(await ids(ending, { query, table: undefined })).toEqual([1]);
    // '9' is a greater text than '10', but the column is loaded as numbers.
    expect(await ids(compare("n", "greater", "9"), { types: "n=BIGINT" })).toEqual([2]);
    expect(await ids(compare("id", "less", "3000000000"))).toEqual([1, 2, 3]);
    const zoned = failure({ table: "names" }, { filter: compare("at", "less", "2024-01-01T11:00:00+02:00") });
    expect((await zoned).reason).toBe("INVALID_FILTER");
    expect(await ids(compare("at", "less", "2024-01-01T11:00:00"))).toEqual([1]);
  });

  it("of texts in either case knows all letters, whatever the database's or the column's locale is", async () => {
    const name = `${db.name}_c`;
    await db.run(`CREATE DATABASE ${name} TEMPLATE template0 ENCODING UTF8 LC_COLLATE 'C' LC_CTYPE 'C'`);
    const filter: RowFilter = { kind: "text", column: "a", op: "startsWith", text: "äP", ignoreCase: true };
    try {
      for (const [uri, column] of [
        [db.url, `'Äpfel'::text COLLATE "C"`],
        [db.url.replace(db.name, name), "'Äpfel'::text"],
      ] as const) {
        const source = db.source({ query: `SELECT ${column} AS a` }, { uri });
        expect((await loadSource(lab, { ...source, filter })).rows).toBe(1);
      }
    } finally {
      await db.run(`DROP DATABASE ${name}`);
    }
  });

  it("of a server that stands behind the same name is not taken for the one that planned", async () => {
    const source = db.source({ table: "orders", partitions: 2 });
    await using first = await postgres.open(source, await labContext(lab));
    const { shared } = await first.plan({ maxPartitions: 2, preview: false });
    await using other = await postgres.open(source, await labContext(lab));
    await expect(other.join?.({ ...shared, server: "2024-01-01 00:00:00+00" })).rejects.toThrow("another server");
  });

  it("of its types is converted by the database, and fails for values that do not fit", async () => {
    const types = "id=VARCHAR,price=DECIMAL(20,4),day=TIMESTAMP";
    const query = "SELECT * FROM orders WHERE id = 3";
    const { values, types: found } = await load({ query, types, columns: "id,price,day" });
    expect(found).toEqual({ id: "VARCHAR", price: "DECIMAL(20,4)", day: "TIMESTAMP" });
    expect(values).toEqual([["3", "0.7500", "2024-01-04 00:00:00"]]);
    expect(await failure({ table: "orders", types: "city=INTEGER" })).toMatchObject({ reason: "SOURCE_QUERY_FAILED" });
    expect(await failure({ table: "orders", types: "id=UTINYINT" })).toMatchObject({ reason: "LOAD_TYPE_MISMATCH" });
    expect(await failure({ table: "orders", types: "x=DATE" })).toMatchObject({ reason: "UNKNOWN_COLUMN" });
  });
});

it("bytes that are no UTF-8, as a database without an encoding may send them, fail the load", async () => {
  const name = `${db.name}_ascii`;
  await db.run(`CREATE DATABASE ${name} TEMPLATE template0 ENCODING SQL_ASCII LC_COLLATE 'C' LC_CTYPE 'C'`);
  try {
    for (const transfer of ["copy", "rows"]) {
      const source = db.source(
        { query: "SELECT 1 AS id, chr(233) AS a", transfer },
        { uri: db.url.replace(db.name, name) },
      );
      expect((await failureOf(loadSource(lab, source))).message).toContain("invalid byte sequence");
    }
  } finally {
    await db.run(`DROP DATABASE ${name}`);
  }
});

describe("a query", () => {
  it("may end in a semicolon or a comment, and repeat its names", async () => {
    const query = 'SELECT 1 AS a, 2 AS a, 3 AS "A", 4 -- the end\n;;';
    const { values, types } = await load({ query });
    expect(values).toEqual([[1, 2, 3, 4]]);
    expect(Object.keys(types)).toEqual(["a", "a_2", "A_3", "?column?"]);
  });

  it.each([
    ["SELECT 1; DROP TABLE orders", "SOURCE_QUERY_FAILED"],
    ["SELECT 1) TO PROGRAM 'touch /tmp/drover-was-here' --", "SOURCE_QUERY_FAILED"],
    ["SELECT 1) AS q; COMMIT; DROP TABLE orders; --", "SOURCE_QUERY_FAILED"],
    ["DELETE FROM orders RETURNING id", "SOURCE_QUERY_FAILED"],
    ["WITH d AS (DELETE FROM orders RETURNING id) SELECT * FROM d", "SOURCE_QUERY_FAILED"],
    ["SELECT set_config('transaction_read_only', 'off', true), nextval('counter')", "SOURCE_QUERY_FAILED"],
    ["DROP TABLE orders", "INVALID_OPTION"],
    ["SELECT $1::int", "SOURCE_QUERY_FAILED"],
    ["SELECT 1 /* no end", "SOURCE_QUERY_FAILED"],
    ["SELEC 1", "SOURCE_QUERY_FAILED"],
    ["SELECT 1/0", "SOURCE_QUERY_FAILED"],
  ])("can't do anything but read: %s", async (query, reason) => {
    await db.run("CREATE SEQUENCE IF NOT EXISTS counter");
    for (const transfer of ["copy", "rows"]) expect((await failure({ query, transfer })).reason).toBe(reason);
    expect(await one("SELECT count(*) FROM orders")).toBe("20000");
  });
});

describe("a table", () => {
  it("may have any name, 1,500 columns, no rows, or NULLs only", async () => {
    await db.run(
      `CREATE SCHEMA "My ""S"; CREATE TABLE "My ""S"."a.b c" ("x ""y" int); INSERT INTO "My ""S"."a.b c" VALUES (NULL), (1)`,
    );
    expect((await load({ schema: 'My "S', table: "a.b c" })).values).toEqual([[1], [null]]);
    const names = Array.from({ length: 1_500 }, (_, at) => `c${at}`);
    await db.run(`CREATE TABLE wide (${names.map((name, at) => `${name} ${at % 3 ? "int" : "numeric"}`).join(", ")})`);
    const empty = await load({ table: "wide" });
    expect([empty.rows, Object.keys(empty.types)]).toEqual([0, names]);
    await db.run(`INSERT INTO wide (c0, c1499) VALUES (1.5, 2); INSERT INTO wide DEFAULT VALUES`);
    const wide = await load({ table: "wide" });
    expect([wide.rows, wide.types.c0, wide.values[0]?.[1499]]).toEqual([2, "DECIMAL(18,1)", 2]);
  });

  it("without columns, unknown, or not to be read is refused with the reason", async () => {
    await db.run("CREATE TABLE hollow ()");
    expect((await failure({ table: "hollow" })).reason).toBe("EMPTY_SOURCE");
    expect(await failure({ table: "order" })).toMatchObject({
      reason: "SOURCE_NOT_FOUND",
      message: expect.stringContaining('did you mean "orders"?'),
    });
    expect((await failure({})).reason).toBe("INVALID_SOURCE");
    await db.run(
      `DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${db.name}') THEN CREATE ROLE ${db.name} LOGIN PASSWORD 'p'; END IF; END $$`,
    );
    const server = { name: "s", uri: db.url.replace(/\/\/[^@]*@/, `//${db.name}@`), options: {}, password: "p" };
    expect((await failure({ table: "orders" }, { server })).reason).toBe("SOURCE_ACCESS_DENIED");
    await db.run(`DROP ROLE ${db.name}`);
  });

  it("can't change its shape while it is loaded: the change waits", async () => {
    await db.run("CREATE TABLE shifting AS SELECT i AS a, i AS b FROM generate_series(1, 1000) i");
    let altered: Promise<unknown> | undefined;
    let done = false;
    const other = await postgresDatabaseClient();
    const { rows, types } = await load(
      { table: "shifting", partitions: 2 },
      {
        maxPartitions: 2,
        beforeReading: async () => {
          altered = other.run("ALTER TABLE shifting DROP COLUMN b").then(() => (done = true));
          expect(done).toBe(false);
        },
      },
    );
    expect([rows, types]).toEqual([1_000, { a: "INTEGER", b: "INTEGER" }]);
    await altered;
    await other.end();
    expect((await load({ table: "shifting" })).types).toEqual({ a: "INTEGER" });
  });

  it("is listed with its kind, size and comment where the login can read it", async () => {
    await db.run("COMMENT ON TABLE orders IS 'all of them'");
    await using session = await postgres.open(db.source({}), await labContext(lab));
    const tables: SourceTable[] = [];
    for await (const table of session.listTables?.() ?? []) tables.push(table);
    expect(tables).toContainEqual({
      schema: "public",
      name: "orders",
      type: "table",
      rows: 20_000,
      comment: "all of them",
    });
    expect(tables).toContainEqual({ schema: "public", name: "cheap", type: "view" });
    expect(tables.some(({ schema }) => schema === "pg_catalog")).toBe(false);
  });

  it("may hold texts that only value parsers understand", async () => {
    await db.run(`CREATE TABLE docs AS SELECT 1 AS id, '<a><b>x</b><b>y</b></a>'::xml AS doc, '1.234,5' AS amount`);
    const options = {
      table: "docs",
      parsers: { doc: "xml(a/b[])", amount: "replace(replace(value, '.', ''), ',', '.')" },
    };
    expect(Object.keys((await load({ table: "docs" })).types)).toEqual(["id", "doc", "amount"]);
    for (const transfer of ["copy", "rows"]) {
      const { values } = await load({ ...options, transfer, types: "amount=DECIMAL(10,1)" });
      expect(values).toEqual([[1, ["x", "y"], "1234.5"]]);
    }
    // The text '1.234,5' is less than '9', the amount is not.
    const filter: RowFilter = { kind: "compare", column: "amount", op: "greater", value: 9 };
    const asked = failure({ ...options, types: "amount=DECIMAL(10,1)" }, { filter });
    expect(await asked).toMatchObject({ reason: "INVALID_FILTER", metadata: { column: "amount" } });
  });

  it("is previewed by its first rows, with the types that they have", async () => {
    await using session = await postgres.open({ ...db.source({ table: "orders" }), limit: 5 }, await labContext(lab));
    const plan = await session.plan({ maxPartitions: 4, preview: true });
    expect(plan.partitions).toHaveLength(1);
    expect(plan.columns?.map(({ type }) => type)).toEqual(["INTEGER", "DATE", "DECIMAL(12,2)", "VARCHAR", "DOUBLE"]);
  });
});

/** A session of its own, for what waits. */
async function postgresDatabaseClient() {
  const { Client } = await import("pg");
  const client = new Client({ host: db.host, port: db.port, database: db.name, user: db.user, password: db.password });
  await client.connect();
  return { run: (sql: string) => client.query(sql), end: () => client.end() };
}
