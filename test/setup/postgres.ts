import type { TestProject } from "vitest/node";
import { startPostgres } from "../helpers/postgres-server.ts";
import { onDemand } from "./on-demand.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Where test files ask for the PostgreSQL server (test/helpers/postgres-database.ts). */
    readonly postgres: string;
  }
}

/** One PostgreSQL server for the whole test run, started when it is first needed. */
export async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const named = process.env.DROVER_TEST_POSTGRES_URL;
  const server = await onDemand(async () =>
    named === undefined ? startPostgres() : { answer: named, [Symbol.asyncDispose]: async () => undefined },
  );
  provide("postgres", server.socket);
  return async () => server[Symbol.asyncDispose]();
}
