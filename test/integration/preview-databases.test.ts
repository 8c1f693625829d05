import { afterAll, beforeAll, expect, test } from "vitest";
import { connect, type Drover, type Source } from "../../clients/node/src/index.ts";
import { startDriver } from "../helpers/driver.ts";
import { mysqlDatabase } from "../helpers/mysql-database.ts";
import { postgresDatabase } from "../helpers/postgres-database.ts";

const stack = new AsyncDisposableStack();
let drover: Drover;
const sources = new Map<string, Source>();

beforeAll(async () => {
  const postgres = stack.use(await postgresDatabase());
  await postgres.run(
    `CREATE TABLE many AS SELECT i AS id, i / 8.0 AS price, 'name ' || i AS name FROM generate_series(1, 50000) i`,
  );
  const mysql = stack.use(await mysqlDatabase());
  await mysql.run("CREATE TABLE many (id BIGINT PRIMARY KEY, price DECIMAL(10,3), name VARCHAR(20))");
  await mysql.run("INSERT INTO many SELECT seq, seq / 8, CONCAT('name ', seq) FROM seq_1_to_50000");
  const env = { DROVER_SECRET_PG: postgres.password, DROVER_SECRET_MY: mysql.password };
  const driver = stack.use(await startDriver({ env }));
  drover = stack.use(await connect({ address: driver.address, token: driver.token }));
  const options = { table: "many" };
  sources.set("postgres", { uri: postgres.url, options: { ...options, secret: "env:DROVER_SECRET_PG" } });
  sources.set("mysql", { uri: mysql.url, options: { ...options, user: mysql.user, secret: "env:DROVER_SECRET_MY" } });
}, 240_000);

afterAll(() => stack.disposeAsync());

test.each(["postgres", "mysql"])(
  "a table of %s is previewed with the types of its load",
  async (kind) => {
    const source = sources.get(kind) as Source;
    const found = await drover.preview(source, { limit: 5 });
    expect(found.values.length).toBe(5);
    expect(found).toMatchObject({ complete: false, source: { format: kind } });
    const names = found.columns.map(({ name }) => name);
    for (const [id, , name] of found.values) expect(name).toBe(`name ${id}`);
    expect(names).toEqual(["id", "price", "name"]);
    const { dataset } = await (await drover.load(`many-${kind}`, source)).result();
    expect(dataset.version.rows).toBe(50_000);
    // A numeric without a scale has the one that its rows show.
    const types = (columns: readonly { readonly name: string; readonly type: string }[]) =>
      columns.filter(({ name }) => name !== "price").map(({ type }) => type);
    expect(types(found.columns)).toEqual(types(dataset.columns));
  },
  120_000,
);
