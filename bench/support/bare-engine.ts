import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";

/** The engine by itself, in this process, with nothing of Drover around it: what Drover is compared with. */
export async function bareEngine(settings: Readonly<Record<string, string>> = {}): Promise<DuckDBConnection> {
  const instance = await DuckDBInstance.create(":memory:", { ...settings });
  return instance.connect();
}
