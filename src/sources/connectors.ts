import { DriverError } from "../errors/driver-error.ts";
import type { Connector } from "./connector.ts";
import { withParsers } from "./parsers/parsed-connector.ts";

/** Every connector that the driver brings along; loaded when it is first used, and in workers only. */
const connectors: Readonly<Record<string, () => Promise<Connector>>> = {
  csv: async () => (await import("./csv/connector.ts")).csv,
  tsv: async () => (await import("./tsv/connector.ts")).tsv,
  json: async () => (await import("./json/connector.ts")).json,
  mysql: async () => withParsers((await import("./mysql/connector.ts")).mysql),
  xml: async () => (await import("./xml/connector.ts")).xml,
  parquet: async () => (await import("./parquet/connector.ts")).parquet,
  postgres: async () => withParsers((await import("./postgres/connector.ts")).postgres),
};

/** The connector of a kind. Throws UNKNOWN_FORMAT. */
export async function loadConnector(kind: string): Promise<Connector> {
  const load = Object.hasOwn(connectors, kind) ? connectors[kind] : undefined;
  if (load === undefined) throw new DriverError("UNKNOWN_FORMAT", `there is no connector ${JSON.stringify(kind)}`);
  return load();
}
