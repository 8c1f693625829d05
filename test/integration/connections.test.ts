import { randomBytes } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connect, type DriverEvent, type Drover, type Source } from "../../clients/node/src/index.ts";
import { startDriver, type TestDriver } from "../helpers/driver.ts";
import { type PostgresDatabase, postgresDatabase } from "../helpers/postgres-database.ts";

const parts = new AsyncDisposableStack();
const unique = randomBytes(6).toString("hex");
const role = `app_${unique}`;
const passwords = [`first-${unique}`, `second-${unique}`, `third-${unique}`] as const;
const [first, second, third] = passwords;
let database: PostgresDatabase;
let drivers: readonly [TestDriver, TestDriver];
/** Clients of two drivers over one data directory. */
let one: Drover;
let two: Drover;
let uri: string;
const events: DriverEvent[] = [];
const failures: unknown[] = [];

beforeAll(async () => {
  database = parts.use(await postgresDatabase());
  await database.run(`
    CREATE ROLE ${role} LOGIN PASSWORD '${first}';
    CREATE TABLE numbers AS SELECT i, 'n' || i AS t FROM generate_series(1, 100) AS i;
    CREATE VIEW evens AS SELECT * FROM numbers WHERE i % 2 = 0;
    CREATE TABLE hidden (i int);
    GRANT SELECT ON numbers, evens TO ${role};
    ANALYZE numbers`);
  parts.defer(async () => {
    await database.run(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
  });
  uri = `postgresql://${role}@${database.host}:${database.port}/${database.name}`;
  const args = ["--log-level", "debug", "--pools-loaders-size", "3", "--workers-max", "4"];
  const env = { DROVER_SECRET_THIRD: third };
  const driver = parts.use(await startDriver({ args, env }));
  drivers = [
    driver,
    parts.use(await startDriver({ args, env, dataDir: driver.dataDir, profile: "other", config: "" })),
  ];
  const [oneOf, twoOf] = await Promise.all(drivers.map(({ address, token }) => connect({ address, token })));
  if (oneOf === undefined || twoOf === undefined) throw new Error("two clients");
  [one, two] = [parts.use(oneOf), parts.use(twoOf)];
  const stopped = new AbortController();
  parts.defer(() => stopped.abort());
  void (async () => {
    for await (const event of one.events({ signal: stopped.signal })) events.push(event);
  })().catch(() => undefined);
});
afterAll(() => parts.disposeAsync());

/** The reason why something fails; what it says is looked through for secrets at the end. */
async function reasonOf(failing: Promise<unknown>): Promise<string | undefined> {
  const failure = await failing.then(
    () => undefined,
    (error: unknown) => error,
  );
  failures.push(failure, String(failure));
  return (failure as { reason?: string } | undefined)?.reason;
}

async function load(client: Drover, dataset: string, source: Source) {
  const loading = await client.load(dataset, source);
  return (await loading.result()).dataset;
}

async function metricsOf({ address, token }: TestDriver): Promise<string> {
  const response = await fetch(`http://${address}/metrics`, { headers: { authorization: `Bearer ${token}` } });
  return response.text();
}

function missing(lines: readonly string[], text: string): readonly string[] {
  return lines.filter((line) => !text.includes(line));
}

const table = { options: { table: "public.numbers" } };

describe("a connection", () => {
  test("is kept at one driver with its password, and used at the other", { timeout: 120_000 }, async () => {
    const created = await one.connections.create({ name: "app", uri, labels: { team: "a" } }, { password: first });
    expect(created).toMatchObject({ kind: "postgres", hasPassword: true, labels: { team: "a" } });
    await one.sources.create({ name: "numbers", source: { connection: "app", ...table } });
    expect(await two.connections.get("app")).toEqual({ ...created, usedBy: ["numbers"] });
    expect((await two.connections.test("app")).description).toMatch(/^PostgreSQL \d+/);
    expect((await two.sources.test({ uri: "source:numbers" })).description).toMatch(/^PostgreSQL \d+/);
    const dataset = await load(two, "numbers", { uri: "source:numbers" });
    expect(dataset.version).toMatchObject({ rows: 100, source: { uri: "source:numbers", format: "postgres" } });
    const direct = await load(two, "direct", { connection: "app", options: { query: "SELECT 1 AS a" } });
    expect(direct.version).toMatchObject({ rows: 1, source: { connection: "app", uri: "" } });
    expect(await reasonOf(one.connections.delete("app"))).toBe("CONNECTION_IN_USE");
  });

  test("tells the tables that its login may read", { timeout: 120_000 }, async () => {
    const names = async (source: object, contains = "") => {
      const found: string[] = [];
      for await (const each of one.sources.tables(source, { contains }))
        found.push(`${each.type} ${each.schema}.${each.name}`);
      return found;
    };
    expect(await names({ connection: "app" }, "PUBLIC.")).toEqual(["view public.evens", "table public.numbers"]);
    expect(await names({ uri: "source:numbers" }, "numb")).toEqual(["table public.numbers"]);
    expect(await reasonOf(names({ uri: "/a.csv" }))).toBe("INVALID_SOURCE");
    expect(await reasonOf(names({ connection: "none" }))).toBe("CONNECTION_NOT_DEFINED");
  });

  test("is tested before it is kept", { timeout: 120_000 }, async () => {
    const draft = { name: "draft", uri };
    expect((await one.connections.test(draft, { password: first })).description).toMatch(/^PostgreSQL/);
    expect(await reasonOf(one.connections.test(draft, { password: second }))).toBe("LOGIN_REFUSED");
    expect(await reasonOf(one.connections.test(draft))).toBe("LOGIN_REFUSED");
    // What is kept is not sent to an address that somebody else gives.
    const elsewhere = { name: "app", uri: uri.replace(database.host, "localhost") };
    expect(await reasonOf(one.connections.test(elsewhere))).toBe("PASSWORD_REQUIRED");
    expect((await one.connections.test({ name: "app", uri })).description).toMatch(/^PostgreSQL/);
    expect(await reasonOf(one.connections.get("draft"))).toBe("CONNECTION_NOT_DEFINED");
  });

  test("has its password rotated without a touch of its sources", { timeout: 120_000 }, async () => {
    const source = await one.sources.get("numbers");
    await database.run(`ALTER ROLE ${role} PASSWORD '${second}'`);
    expect(await reasonOf(load(two, "numbers", { uri: "source:numbers" }))).toBe("LOGIN_REFUSED");
    await one.connections.update("app", { password: second });
    expect((await load(two, "numbers", { uri: "source:numbers" })).version.number).toBe(2);
    // From the driver's environment, too.
    await database.run(`ALTER ROLE ${role} PASSWORD '${third}'`);
    await one.connections.update("app", { secret: "env:DROVER_SECRET_THIRD" });
    expect((await load(two, "numbers", { uri: "source:numbers" })).version.number).toBe(3);
    expect(await two.sources.get("numbers")).toEqual(source);
    const options = { ...table.options, secret: "env:DROVER_SECRET_THIRD" };
    expect((await load(one, "by-url", { uri, options })).version.rows).toBe(100);
    const missing = { ...options, secret: "env:DROVER_SECRET_MISSING" };
    expect(await reasonOf(load(one, "by-url", { uri, options: missing }))).toBe("SECRET_UNAVAILABLE");
    await one.connections.update("app", { password: third });
  });

  test("runs no more statements at once than it may, in all loads and workers together", {
    timeout: 120_000,
  }, async () => {
    await one.connections.update("app", { maxStatements: 2 });
    // Nothing ends before the test has looked.
    await database.run("SELECT pg_advisory_lock(42)");
    const held = (number: number) => ({
      connection: "app",
      options: { query: `SELECT ${number} AS n, pg_advisory_lock_shared(42)::text AS held` },
    });
    const active = async () => {
      const [row] = await database.run(
        `SELECT count(*) FROM pg_stat_activity
         WHERE usename = '${role}' AND state = 'active' AND query LIKE '%pg_advisory_lock_shared%'`,
      );
      return Number(row?.[0]);
    };
    let ended = false;
    const loads = Promise.all([1, 2, 3].map((number) => load(one, `held-${number}`, held(number)))).finally(() => {
      ended = true;
    });
    loads.catch(() => undefined);
    const full = ["drover_statements_running 2\n", "drover_statements_waiting 1\n"];
    await expect.poll(async () => missing(full, await metricsOf(drivers[0]))).toEqual([]);
    // A statement is counted from the moment that it may run, which is before the server has it.
    await expect.poll(active).toBe(2);
    await database.run("SELECT pg_advisory_unlock(42)");
    while (!ended) expect(await active()).toBeLessThanOrEqual(2);
    expect((await loads).map(({ version }) => version.rows)).toEqual([1, 1, 1]);
    const idle = ["drover_statements_running 0\n", "drover_statements_waiting 0\n"];
    await expect.poll(async () => missing(idle, await metricsOf(drivers[0]))).toEqual([]);
  });
});

test("a password is seen nowhere: not in logs, errors, history, versions, events, exports, files or processes", async () => {
  await expect.poll(() => events.length).toBeGreaterThan(1);
  const shown: unknown[] = [events, failures, drivers.map((driver) => driver.log())];
  for (const client of [one, two]) {
    for await (const operation of client.operations({ kinds: ["load"] }))
      shown.push(operation, operation.error?.message);
    for await (const dataset of client.datasets()) {
      shown.push(dataset);
      for await (const version of client.versions(dataset.name)) shown.push(version);
    }
    shown.push(await client.sources.export());
    for await (const connection of client.connections.list()) shown.push(connection);
    for await (const source of client.sources.list()) shown.push(source);
  }
  expect(failures.filter((failure) => failure !== undefined).length).toBeGreaterThan(10);
  requireNone(
    JSON.stringify(shown, (_, value) => (typeof value === "bigint" ? String(value) : value)),
    "what is shown",
  );
  const { dataDir } = drivers[0];
  for (const entry of await readdir(dataDir, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) {
      const path = join(entry.parentPath, entry.name);
      requireNone(await readFile(path, "latin1").catch(() => ""), path);
    }
  const pids = drivers.map(({ pid }) => String(pid));
  const workers: string[] = [];
  for (const pid of await readdir("/proc").then((names) => names.filter((name) => /^\d+$/.test(name)))) {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
    const parent = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1] ?? "";
    if (pids.includes(parent)) workers.push(pid);
    if (!pids.includes(pid) && !pids.includes(parent)) continue;
    requireNone(await readFile(`/proc/${pid}/cmdline`, "latin1").catch(() => ""), `the command line of ${pid}`);
    const environment = await readFile(`/proc/${pid}/environ`, "latin1").catch(() => "");
    // The administrator has put it into the driver's; a worker has no use for it.
    requireNone(
      pids.includes(pid) ? environment.replace(`DROVER_SECRET_THIRD=${third}`, "") : environment,
      `the environment of ${pid}`,
    );
  }
  expect(workers.length).toBeGreaterThan(0);
});

function requireNone(text: string, where: string): void {
  for (const [index, password] of passwords.entries())
    if (text.includes(password)) throw new Error(`password ${index + 1} is in ${where}`);
}
