import type { TestProject } from "vitest/node";
import { startMariadb } from "../helpers/mariadb-server.ts";
import { onDemand } from "./on-demand.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Where test files ask for the MariaDB server (test/helpers/mysql-database.ts). */
    readonly mysql: string;
  }
}

/** One MariaDB server for the whole test run, started when it is first needed. */
export async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const named = process.env.DROVER_TEST_MYSQL_URL;
  const server = await onDemand(async () =>
    named === undefined ? startMariadb() : { answer: named, [Symbol.asyncDispose]: async () => undefined },
  );
  provide("mysql", server.socket);
  return async () => server[Symbol.asyncDispose]();
}
