import { randomBytes } from "node:crypto";
import mysql, { type Connection } from "mysql2/promise";
import { inject } from "vitest";
import type { Source } from "../../src/sources/connector.ts";
import { askFor } from "./on-demand.ts";

/** A database for one test file on the test run's server; dropped when disposed of. */
export interface TestDatabase extends AsyncDisposable {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** `mysql://127.0.0.1:3306/name`, without the login. */
  readonly url: string;
  /** Runs one statement; answers its rows, every value as the server's text. */
  run(sql: string): Promise<readonly (readonly (string | null)[])[]>;
}

export async function mysqlDatabase(): Promise<TestDatabase> {
  const server = new URL(await askFor(inject("mysql")));
  const login = {
    host: server.hostname,
    port: Number(server.port || 3306),
    user: decodeURIComponent(server.username),
    password: decodeURIComponent(server.password),
  };
  const name = `drover_${randomBytes(6).toString("hex")}`;
  const connection = await mysql.createConnection({ ...login, rowsAsArray: true, typeCast: (field) => field.string() });
  await connection.query(`CREATE DATABASE ${name} CHARACTER SET utf8mb4`);
  await connection.query(`USE ${name}`);
  return {
    ...login,
    name,
    url: `mysql://${login.host}:${login.port}/${name}`,
    run: (sql) => rows(connection, sql),
    [Symbol.asyncDispose]: async () => {
      await connection.query(`DROP DATABASE ${name}`);
      await connection.end();
    },
  };
}

async function rows(connection: Connection, sql: string): Promise<readonly (readonly (string | null)[])[]> {
  const [found] = await connection.query(sql);
  return Array.isArray(found) ? (found as unknown as (string | null)[][]) : [];
}

/** A source in a test's database. */
export function mysqlSource(
  db: TestDatabase,
  options: Readonly<Record<string, unknown>>,
  more: Partial<Source> = {},
): Source {
  const { url, user, password } = db;
  const server = { name: url, uri: url, options: { user }, password };
  return { kind: "mysql", uri: "", options, server, ...more };
}
