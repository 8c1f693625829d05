import { spawn } from "node:child_process";
import { once } from "node:events";
import { open, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import mysql from "mysql2/promise";
import { type MariadbServer, startMariadb } from "../../test/helpers/mariadb-server.ts";
import { startDriver } from "../support/driver.ts";
import type { Bench, MeasureGroup } from "../support/measure.ts";
import { pairedRatio } from "../support/statistics.ts";

const ROWS = 2_000_000;

export const mysqlMeasures: MeasureGroup = {
  name: "mysql",
  measures: [
    {
      name: "load-mysql",
      title: "load of 2 M rows × 8 columns from MariaDB / the mariadb client writing TSV to a file",
      unit: "x",
      target: { atMost: 2 },
      value: async (bench) => {
        await using server = await filledServer(bench);
        await using driver = await startDriver(bench);
        const source = await sourceAt(server, bench);
        return await pairedRatio(
          5,
          async () => {
            const load = await driver.client.load("orders", source);
            await load.result();
          },
          () => clientTsv(server, bench),
        );
      },
    },
    {
      name: "cancel-mysql",
      title: "cancel of a load to the statement's end in MariaDB, worst of 10",
      unit: "ms",
      target: { atMost: 1_000 },
      value: async (bench) => {
        await using server = await startMariadb();
        await using driver = await startDriver(bench);
        const { uri, options } = await sourceAt(server, bench);
        const slow = {
          uri: uri.replace(/bench#.*$/, "mysql"),
          options: { ...options, query: "SELECT SLEEP(600) AS s" },
        };
        const { connection, running } = await watcher(server);
        let worst = 0;
        for (let round = 0; round < 10; round++) {
          const load = await driver.client.load("slow", slow);
          const ended = load.result().catch((error: unknown) => error);
          let isOver = false;
          const early = ended.then((how) => (isOver ? undefined : notExpected(how)));
          await Promise.race([until(running), early]);
          isOver = true;
          const began = performance.now();
          await load.cancel();
          await until(async () => !(await running()));
          worst = Math.max(worst, performance.now() - began);
          await ended;
        }
        await connection.end();
        return worst;
      },
    },
  ],
};

async function filledServer(bench: Bench): Promise<MariadbServer> {
  bench.note("filling MariaDB with 2 M rows");
  const server = await startMariadb(["--innodb-buffer-pool-size=600M", "--innodb-log-file-size=200M"]);
  const connection = await mysql.createConnection(server.answer);
  await connection.query("CREATE DATABASE bench");
  await connection.query("USE bench");
  await connection.query(
    `CREATE TABLE bench.orders (id INT PRIMARY KEY, big BIGINT, amount DECIMAL(12,2), ratio DOUBLE, day DATE, at DATETIME(3),
     name VARCHAR(40), code CHAR(3))`,
  );
  await connection.query(
    `INSERT INTO bench.orders SELECT seq, seq * 7919, seq / 100, seq / 7, DATE_ADD('2000-01-01', INTERVAL seq % 9000 DAY),
     DATE_ADD('2020-01-01 00:00:00.125', INTERVAL seq SECOND), CONCAT('customer ', seq % 100000),
     ELT(1 + seq % 5, 'ABC', 'DEF', 'GHI', 'JKL', NULL) FROM seq_1_to_${ROWS}`,
  );
  await connection.end();
  return server;
}

async function sourceAt(server: MariadbServer, bench: Bench) {
  const { username, password } = new URL(server.answer);
  const passwordFile = join(bench.folder, "mysql-password");
  await writeFile(passwordFile, password, { mode: 0o600 });
  const database = `mysql://${username}@127.0.0.1:${server.port}/bench#orders`;
  return { uri: database, options: { secret: `file:${passwordFile}`, tls: "disable" } };
}

/** The client as fast as it can be: it does not keep the result. */
async function clientTsv(server: MariadbServer, bench: Bench): Promise<void> {
  const { username, password } = new URL(server.answer);
  const path = join(bench.folder, "orders.tsv");
  const file = await open(path, "w");
  const args = [
    "--no-defaults",
    "--skip-ssl",
    "--quick",
    "--batch",
    "-h127.0.0.1",
    `-P${server.port}`,
    `-u${username}`,
  ];
  const child = spawn("mariadb", [...args, "bench", "-e", "SELECT * FROM orders"], {
    env: { ...process.env, MYSQL_PWD: password },
    stdio: ["ignore", file.fd, "inherit"],
  });
  const [code] = await once(child, "exit");
  await file.close();
  await rm(path);
  if (code !== 0) throw new Error(`the mariadb client ended with ${code}`);
}

async function until(what: () => Promise<boolean>): Promise<void> {
  while (!(await what())) await sleep(2);
}

function notExpected(ended: unknown): never {
  throw new Error("the load ended by itself", { cause: ended });
}

async function watcher(server: MariadbServer) {
  const connection = await mysql.createConnection(server.answer);
  const running = async () => {
    const [rows] = await connection.query(
      "SELECT id FROM information_schema.processlist WHERE info LIKE '%SLEEP(600)%' AND id <> CONNECTION_ID()",
    );
    return Array.isArray(rows) && rows.length > 0;
  };
  return { connection, running };
}
