import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { all, connect, where } from "../../../clients/node/src/index.ts";
import type { Source } from "../../../src/sources/connector.ts";
import type { RowFilter } from "../../../src/sources/row-filter.ts";
import { runCli } from "../../helpers/cli.ts";
import { startDriver, type TestDriver } from "../../helpers/driver.ts";
import { failureOf, LoadLab } from "../../helpers/load-engine.ts";
import { type PostgresDatabase, postgresDatabase } from "../../helpers/postgres-database.ts";
import { loadSource } from "../../helpers/source-load.ts";

let lab: LoadLab;
let db: PostgresDatabase;
let driver: TestDriver;

/** Enough that the first rows do not tell all; the last ones hold what only a wider type keeps. */
const COUNT = 30_000;
const rowOf = (id: number) => ({
  id,
  day: id % 10 === 0 ? null : `2024-01-${String((id % 28) + 1).padStart(2, "0")}`,
  city: ["New York", "it's", "50%_\\", null][id % 4] ?? null,
  amount: id === COUNT ? 1.5 : id % 50,
});
const rows = Array.from({ length: COUNT }, (_, at) => rowOf(at + 1));
const csvOf = (some: typeof rows) =>
  `id,day,city,amount\n${some.map(({ id, day, city, amount }) => `${id},${day ?? ""},${city ?? ""},${amount}\n`).join("")}`;

beforeAll(async () => {
  [lab, db, driver] = await Promise.all([
    LoadLab.open(),
    postgresDatabase(),
    startDriver({ env: { DROVER_SECRET_PG: (await postgresPassword()) ?? "" } }),
  ]);
  await lab.file("rows.csv", csvOf(rows));
  await lab.file("part-1.csv", csvOf(rows.slice(0, 10)));
  await lab.file("part-2.csv", csvOf(rows.slice(10, 30)));
  await lab.file("rows.json", rows.map((row) => JSON.stringify(row)).join("\n"));
  await lab.query(`COPY (SELECT * FROM read_csv('${lab.path}/rows.csv', header=true,
    columns={id: 'BIGINT', day: 'DATE', city: 'VARCHAR', amount: 'DECIMAL(18,1)'})) TO '${lab.path}/rows.parquet'`);
  const xml = rows.slice(0, 2_000).map(({ id, city }) => `<row><id>${id}</id><city>${city ?? ""}</city></row>`);
  await lab.file("rows.xml", `<rows>${xml.join("")}</rows>`);
});
afterAll(async () => {
  await driver?.[Symbol.asyncDispose]();
  await lab[Symbol.asyncDispose]();
  await db[Symbol.asyncDispose]();
});

let password: string | undefined;
/** The server is asked before the driver starts, whose environment holds the secret. */
async function postgresPassword(): Promise<string> {
  await using some = await postgresDatabase();
  password = some.password;
  return password;
}

const load = (file: string, wanted: Pick<Source, "filter" | "limit">, options: Source["options"] = {}) =>
  loadSource(
    lab,
    { kind: file.split(".")[1] ?? "", uri: join(lab.path, file), options, ...wanted },
    { orderBy: "ALL" },
  );
const idsOf = (wanted: (row: (typeof rows)[number]) => boolean) => rows.filter(wanted).map(({ id }) => id);

const filters: readonly (readonly [RowFilter, (row: (typeof rows)[number]) => boolean])[] = [
  [{ kind: "compare", column: "id", op: "lessOrEqual", value: "3" }, ({ id }) => id <= 3],
  [{ kind: "compare", column: "day", op: "equal", value: "2024-01-02" }, ({ day }) => day === "2024-01-02"],
  [{ kind: "compare", column: "amount", op: "equal", value: "1.5" }, ({ amount }) => amount === 1.5],
  [
    { kind: "range", column: "amount", from: 1, to: 2, fromExclusive: true, toExclusive: true },
    ({ amount }) => amount > 1 && amount < 2,
  ],
  [{ kind: "compare", column: "city", op: "equal", value: "it's" }, ({ city }) => city === "it's"],
  [
    {
      kind: "all",
      filters: [
        { kind: "isNull", column: "day" },
        { kind: "in", column: "city", values: ["New York", null] },
        { kind: "not", filter: { kind: "compare", column: "id", op: "greater", value: 500 } },
      ],
    },
    ({ day, city, id }) => day === null && (city === "New York" || city === null) && id <= 500,
  ],
  [{ kind: "text", column: "city", op: "contains", text: "%_", ignoreCase: false }, ({ city }) => city === "50%_\\"],
];

describe.each(["rows.csv", "rows.json", "rows.parquet"])("of %s", (file) => {
  it.each(filters)("only the rows that pass are loaded: %j", async (filter, wanted) => {
    const { rows: count, from } = await load(file, { filter }, { columns: "id" });
    const expected = idsOf(wanted);
    expect(count).toBe(expected.length);
    expect(await lab.query(`SELECT id::INTEGER FROM ${from} ORDER BY 1`)).toEqual(expected.map((id) => [id]));
  });

  it("at most as many rows are loaded as asked for", async () => {
    expect((await load(file, { limit: 7 })).rows).toBe(7);
    const filter: RowFilter = { kind: "compare", column: "id", op: "greater", value: COUNT - 3 };
    expect((await load(file, { limit: 7, filter })).rows).toBe(3);
    expect((await load(file, { limit: COUNT * 2 })).rows).toBe(COUNT);
  });

  it.each<[RowFilter, string]>([
    [{ kind: "isNull", column: "citty" }, "UNKNOWN_COLUMN"],
    [{ kind: "compare", column: "id", op: "equal", value: "x'; DROP" }, "INVALID_FILTER"],
    [{ kind: "text", column: "id", op: "contains", text: "1", ignoreCase: false }, "INVALID_FILTER"],
  ])("what can't be compared is refused by name: %j", async (filter, reason) => {
    const error = await failureOf(load(file, { filter }));
    expect([error.reason, JSON.stringify(error.metadata) + error.message]).toEqual([
      reason,
      expect.stringContaining(reason === "UNKNOWN_COLUMN" ? 'did you mean "city"?' : ""),
    ]);
  });
});

describe("a filter and a limit", () => {
  it("go over all files of a source", async () => {
    const source = { kind: "csv", uri: join(lab.path, "part-*.csv"), options: {} };
    expect((await loadSource(lab, { ...source, limit: 15 })).rows).toBe(15);
    const filter: RowFilter = { kind: "compare", column: "id", op: "greater", value: 8 };
    expect((await loadSource(lab, { ...source, filter })).rows).toBe(22);
  });

  it("go over the records of XML", async () => {
    const filter: RowFilter = { kind: "compare", column: "city", op: "equal", value: "New York" };
    expect((await load("rows.xml", { filter })).rows).toBe(500);
    expect((await load("rows.xml", { filter, limit: 9 })).rows).toBe(9);
  });

  it("count rows that are skipped for their values as before", async () => {
    const path = await lab.file("bad.csv", "id,n\n1,1\n2,x\n3,3\n4,y\n5,5\n");
    const filter: RowFilter = { kind: "compare", column: "n", op: "greater", value: 1 };
    const options = { types: "n=INTEGER", badRows: "skip" };
    const { values } = await loadSource(lab, { kind: "csv", uri: path, options, filter });
    expect(values).toEqual([
      ["3", 3],
      ["5", 5],
    ]);
    await rm(path);
  });
});

describe("a load through the driver", () => {
  const cli = async (...args: string[]) => {
    const { code, stdout, stderr } = await runCli(args, { env: { DROVER_DATA_DIR: driver.dataDir } });
    expect(code, stderr).toBe(0);
    return stdout;
  };

  it("takes its rows and columns from the command, and keeps them in the version's lineage", async () => {
    const file = join(lab.path, "rows.csv");
    await cli(
      "load",
      "some",
      file,
      "-w",
      "city = 'New York'",
      "-w",
      "id < 100",
      "--columns",
      "amount,id",
      "--limit",
      "5",
    );
    const { dataset } = JSON.parse(await cli("describe", "some", "--json"));
    expect(dataset).toMatchObject({ rows: 5, columns: [{ name: "amount" }, { name: "id" }] });
    const { versions } = JSON.parse(await cli("versions", "some", "--json"));
    expect(versions[0]).toMatchObject({
      limit: 5,
      filter: { all: { filters: [{ compare: { column: "city" } }, { compare: { column: "id", value: "100" } }] } },
    });
  });

  it("from a database sends no rows that are not wanted, and is another load with another filter", async () => {
    await db.run(
      `CREATE TABLE sales AS SELECT i AS id, i % 7 AS day, repeat('x', 100) AS note FROM generate_series(1, 5000) i`,
    );
    await using client = await connect({ address: driver.address, token: driver.token });
    const source = { uri: `${db.url}?sslmode=require#sales`, options: { secret: "env:DROVER_SECRET_PG" } };
    const wanted = { where: all(where("day").equals(3), where("id").atMost(1_000)), columns: ["id"] };
    const { dataset } = await (await client.load("sales", source, wanted)).result();
    expect(dataset.version).toMatchObject({ rows: 143, filter: wanted.where, limit: 0 });
    expect(dataset.version.sourceBytes).toBeLessThan(143 * 5);
    const again = await (await client.load("sales", source, { where: where("id").equals(7), limit: 3 })).result();
    expect(again.dataset.version).toMatchObject({ rows: 1, limit: 3 });
    const refused = await client.load("sales", source, { where: where("idd").equals(7) });
    await expect(refused.result()).rejects.toMatchObject({
      reason: "UNKNOWN_COLUMN",
      message: expect.stringContaining('did you mean "id"?'),
    });
    expect(driver.log()).not.toContain(password);
  });
});
