import { randomBytes } from "node:crypto";
import { Client } from "pg";
import { inject } from "vitest";
import type { Server, Source } from "../../src/sources/connector.ts";
import { askFor } from "./on-demand.ts";

/** A database for one test file on the test run's server; dropped when disposed of. */
export interface PostgresDatabase extends AsyncDisposable {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** `postgresql://user@127.0.0.1:5432/name`, without the password. */
  readonly url: string;
  /** A source in it, for connectors; `server` is merged into the connection's. */
  source(options: Source["options"], server?: Partial<Server>): Source;
  /** Runs statements as a superuser; answers the rows of the last one, every value as the server's text. */
  run(sql: string): Promise<readonly (readonly (string | null)[])[]>;
}

const asText = { getTypeParser: () => (value: string) => value };

export async function postgresDatabase(): Promise<PostgresDatabase> {
  const server = new URL(await askFor(inject("postgres")));
  const login = {
    host: server.hostname,
    port: Number(server.port || 5432),
    user: decodeURIComponent(server.username),
    password: decodeURIComponent(server.password),
  };
  const name = `drover_${randomBytes(6).toString("hex")}`;
  const admin = new Client({ ...login, database: server.pathname.slice(1) || "postgres" });
  await admin.connect();
  await admin.query(`CREATE DATABASE ${name}`);
  const client = new Client({ ...login, database: name });
  await client.connect();
  const url = `postgresql://${login.user}@${login.host}:${login.port}/${name}`;
  return {
    ...login,
    name,
    url,
    source: (options, more) => ({
      kind: "postgres",
      uri: "",
      options,
      server: { name: "test", uri: url, options: {}, password: login.password, ...more },
    }),
    run: async (sql) => {
      const result: unknown = await client.query({ text: sql, rowMode: "array", types: asText });
      const last = Array.isArray(result) ? result.at(-1) : result;
      return last.rows;
    },
    [Symbol.asyncDispose]: async () => {
      await client.end();
      await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
      await admin.end();
    },
  };
}
