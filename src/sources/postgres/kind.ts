import type { SourceKind } from "../connector.ts";
import { connectionOptions, options, SCHEMES, serverOf, settingsOf } from "./options.ts";

/** PostgreSQL and what speaks its protocol. */
export const postgres: SourceKind = {
  kind: "postgres",
  summary: "Tables and queries of PostgreSQL.",
  extensions: [],
  schemes: SCHEMES.flatMap((scheme) => [scheme, `jdbc:${scheme}`]),
  options,
  connectionOptions,
  check: (given) => void settingsOf(given),
  checkConnection: (server) => void serverOf(server),
  tls: (server) => serverOf(server).tls,
};
