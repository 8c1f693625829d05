import { spawn } from "node:child_process";
import { once } from "node:events";
import { open, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import { type PostgresServer, startPostgres } from "../../test/helpers/postgres-server.ts";
import { startDriver } from "../support/driver.ts";
import type { Bench, MeasureGroup } from "../support/measure.ts";
import { pairedRatio } from "../support/statistics.ts";

const ROWS = 2_000_000;

export const postgresMeasures: MeasureGroup = {
  name: "postgres",
  measures: [
    {
      name: "load-postgres",
      title: "load of 2 M rows × 8 columns from PostgreSQL / psql's COPY to a file",
      unit: "x",
      target: { atMost: 2 },
      value: async (bench) => {
        await using server = await filledServer(bench);
        await using driver = await startDriver(bench);
        const source = await sourceAt(server, bench);
        return await pairedRatio(
          5,
          async () => {
            const load = await driver.client.load("orders", {
              ...source,
              options: { ...source.options, table: "orders" },
            });
            await load.result();
          },
          () => psqlCopy(server, bench),
        );
      },
    },
    {
      name: "cancel-postgres",
      title: "cancel of a load to the statement's end in PostgreSQL, worst of 10",
      unit: "ms",
      target: { atMost: 1_000 },
      value: async (bench) => {
        await using server = await startPostgres();
        await using driver = await startDriver(bench);
        const { uri, options } = await sourceAt(server, bench);
        const slow = { uri, options: { ...options, query: "SELECT pg_sleep(600)::text AS s" } };
        await using watcher = await watcherOf(server);
        let worst = 0;
        for (let round = 0; round < 10; round++) {
          const load = await driver.client.load("slow", slow);
          const ended = load.result().catch((error: unknown) => error);
          await until(watcher.running);
          const began = performance.now();
          await load.cancel();
          await until(async () => !(await watcher.running()));
          worst = Math.max(worst, performance.now() - began);
          await ended;
        }
        return worst;
      },
    },
  ],
};

async function filledServer(bench: Bench): Promise<PostgresServer> {
  bench.note("filling PostgreSQL with 2 M rows");
  const server = await startPostgres({ shared_buffers: "512MB", max_wal_size: "2GB" });
  const client = new Client({ connectionString: server.answer });
  await client.connect();
  await client.query(`CREATE TABLE orders (id int PRIMARY KEY, big bigint, amount numeric(12,2), ratio float8, day date, at timestamptz,
    name text, code char(3))`);
  await client.query(`INSERT INTO orders SELECT i, i::bigint * 7919, i / 100.0, i / 7.0, date '2000-01-01' + i % 9000,
    timestamptz '2020-01-01 00:00:00.125+00' + i * interval '1 second', 'customer ' || i % 100000,
    (ARRAY['ABC', 'DEF', 'GHI', 'JKL', NULL])[1 + i % 5] FROM generate_series(1, ${ROWS}) i`);
  await client.query("VACUUM ANALYZE orders");
  await client.end();
  return server;
}

async function sourceAt(server: PostgresServer, bench: Bench) {
  const { username, password } = new URL(server.answer);
  const passwordFile = join(bench.folder, "postgres-password");
  await writeFile(passwordFile, password, { mode: 0o600 });
  const uri = `postgresql://${username}@127.0.0.1:${server.port}/postgres`;
  return { uri, options: { secret: `file:${passwordFile}`, tls: "disable" } };
}

async function psqlCopy(server: PostgresServer, bench: Bench): Promise<void> {
  const { username, password } = new URL(server.answer);
  const path = join(bench.folder, "orders.copy");
  const file = await open(path, "w");
  const login = `host=127.0.0.1 port=${server.port} user=${username} dbname=postgres sslmode=disable`;
  const child = spawn("psql", ["--no-psqlrc", "-q", "-d", login, "-c", "COPY orders TO STDOUT"], {
    env: { ...process.env, PGPASSWORD: password },
    stdio: ["ignore", file.fd, "inherit"],
  });
  const [code] = await once(child, "exit");
  await file.close();
  await rm(path);
  if (code !== 0) throw new Error(`psql ended with ${code}`);
}

async function until(what: () => Promise<boolean>): Promise<void> {
  while (!(await what())) await sleep(2);
}

async function watcherOf(server: PostgresServer) {
  const client = new Client({ connectionString: server.answer });
  await client.connect();
  return {
    running: async () => {
      const { rows } = await client.query(
        "SELECT 1 FROM pg_stat_activity WHERE application_name = 'drover' AND state = 'active' AND query ~ 'pg_sleep'",
      );
      return rows.length > 0;
    },
    [Symbol.asyncDispose]: () => client.end(),
  };
}
