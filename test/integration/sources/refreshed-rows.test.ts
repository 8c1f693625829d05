import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connect, type Drover, type Increment, type Source } from "../../../clients/node/src/index.ts";
import { startDriver } from "../../helpers/driver.ts";
import { mysqlDatabase } from "../../helpers/mysql-database.ts";
import { postgresDatabase } from "../../helpers/postgres-database.ts";

const parts = new AsyncDisposableStack();
let drover: Drover;

interface Database {
  run(sql: string): Promise<unknown>;
  readonly source: (table: string) => Source;
}
let postgres: Database;
let mysql: Database;

beforeAll(async () => {
  const pg = parts.use(await postgresDatabase());
  const my = parts.use(await mysqlDatabase());
  const env = { DROVER_SECRET_PG: pg.password, DROVER_SECRET_MY: my.password };
  const driver = parts.use(await startDriver({ env }));
  drover = parts.use(await connect({ address: driver.address, token: driver.token }));
  const secretOf = (name: string, password: string) => (password === "" ? {} : { secret: `env:${name}` });
  postgres = {
    run: (sql) => pg.run(sql),
    source: (table) => ({
      uri: pg.url,
      format: "postgres",
      options: { table, ...secretOf("DROVER_SECRET_PG", pg.password) },
    }),
  };
  mysql = {
    run: (sql) => my.run(sql),
    source: (table) => ({
      uri: my.url,
      format: "mysql",
      options: { table, user: my.user, ...secretOf("DROVER_SECRET_MY", my.password) },
    }),
  };
});
afterAll(() => parts.disposeAsync());

const ROWS = 3_000;

/** Loads a table, changes a row and adds one, and refreshes: only the window may come over the wire. */
async function refreshed(database: Database, table: string, changes: string, increment: Increment) {
  const loaded = await (await drover.load(table, database.source(table), { increment })).result();
  expect(loaded.dataset.version.rows).toBe(ROWS);
  expect(await (await drover.refresh(table)).result()).toMatchObject({ unchanged: true });
  for (const change of changes.split(";")) await database.run(change);
  const { dataset } = await (await drover.refresh(table)).result();
  expect(dataset.version).toMatchObject({ number: 2, rows: ROWS + 1 });
  expect(dataset.version.sourceBytes).toBeLessThan(loaded.dataset.version.sourceBytes / 50);
  const rows = drover.rows(table, { integers: "string" });
  const found: Record<string, unknown>[] = [];
  for await (const row of rows) if (["7", String(ROWS + 1)].includes(String(row.id))) found.push(row);
  expect(found.map(({ id, v }) => [String(id), v]).sort()).toEqual([
    [String(ROWS + 1), "new"],
    ["7", "changed"],
  ]);
}

/** Columns that a watermark may be, with what row `i` has in each, what comes later, and an overlap. */
describe("an incremental refresh of PostgreSQL", () => {
  it.each([
    ["bigint", "9007199254740993 + i", `9007199254740993 + ${ROWS + 5}`, { overlapAmount: 2.5 }],
    ["numeric(30,6)", "i + 0.000001", `${ROWS + 5}.5`, { overlapAmount: 1 }],
    ["double precision", "i / 8.0", `${ROWS}`, {}],
    ["date", "date '2020-01-01' + i", "date '2032-01-01'", { overlapMs: 86_400_000 }],
    ["timestamp", "timestamp '2024-01-01 00:00:00.000001' + i * interval '1 second'", "timestamp '2024-02-01'", {}],
    ["timestamptz", "timestamptz '2024-01-01 00:00+05:30' + i * interval '1 ms'", "now()", { overlapMs: 3 }],
  ] as const)("reads only the rows of the window by a %s", async (type, value, later, overlap) => {
    const table = `pg_${type.replace(/\W.*/, "")}`;
    await postgres.run(
      `CREATE TABLE ${table} AS SELECT i::int AS id, (${value})::${type} AS w, 'old'::text AS v FROM generate_series(1, ${ROWS}) AS i`,
    );
    const changes = `UPDATE ${table} SET w = ${later}, v = 'changed' WHERE id = 7;INSERT INTO ${table} VALUES (${ROWS + 1}, ${later}, 'new')`;
    await refreshed(postgres, table, changes, { watermark: "w", keys: ["id"], ...overlap });
  });
});

describe("an incremental refresh of MariaDB", () => {
  it.each([
    ["bigint unsigned", "18446744073709540000 + seq", `18446744073709540000 + ${ROWS + 5}`, { overlapAmount: 2 }],
    ["decimal(30,6)", "seq + 0.000001", `${ROWS + 5}.5`, { overlapAmount: 1 }],
    ["date", "date '2020-01-01' + interval seq day", "'2032-01-01'", { overlapMs: 86_400_000 }],
    ["datetime(6)", "timestamp '2024-01-01 00:00:00.000001' + interval seq second", "'2024-02-01'", {}],
    ["timestamp(6)", "timestamp '2024-01-01 00:00:00.000001' + interval seq second", "'2024-02-01'", { overlapMs: 3 }],
  ] as const)("reads only the rows of the window by a %s", async (type, value, later, overlap) => {
    const table = `my_${type.replace(/\W.*/, "")}`;
    await mysql.run(`CREATE TABLE ${table} (id int, w ${type} NULL, v varchar(20))`);
    await mysql.run(`INSERT INTO ${table} SELECT seq, ${value}, 'old' FROM seq_1_to_${ROWS}`);
    const changes = `UPDATE ${table} SET w = ${later}, v = 'changed' WHERE id = 7;INSERT INTO ${table} VALUES (${ROWS + 1}, ${later}, 'new')`;
    await refreshed(mysql, table, changes, { watermark: "w", keys: ["id"], ...overlap });
  });
});
