import type { SourceKind } from "../connector.ts";
import { connectionOptions, options, SCHEMES, serverOf, settingsOf } from "./options.ts";

/** MySQL, MariaDB and what speaks their protocol. */
export const mysql: SourceKind = {
  kind: "mysql",
  summary: "Tables and queries of MySQL and MariaDB.",
  extensions: [],
  schemes: SCHEMES.flatMap((scheme) => [scheme, `jdbc:${scheme}`]),
  options,
  connectionOptions,
  check: (given) => void settingsOf(given),
  checkConnection: (server) => void serverOf(server),
  tls: (server) => serverOf(server).tls,
};
