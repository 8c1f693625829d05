import type { TlsMode } from "../database/connection-options.ts";
import type { UrlParameters } from "../database/url-parameters.ts";
import type { SessionKind } from "./options.ts";

const LIBPQ_TLS: Readonly<Record<string, TlsMode>> = {
  disable: "disable",
  allow: "prefer",
  prefer: "prefer",
  require: "require",
  "verify-ca": "verify-ca",
  "verify-full": "verify-full",
};
const TARGETS: Readonly<Record<string, SessionKind>> = {
  any: "any",
  "read-write": "primary",
  primary: "primary",
  master: "primary",
  "read-only": "standby",
  standby: "standby",
  secondary: "standby",
  slave: "standby",
  preferSecondary: "prefer-standby",
  preferSlave: "prefer-standby",
  "prefer-standby": "prefer-standby",
};
const oneOf = (table: Readonly<Record<string, string>>) => ({
  read: (value: string) => (Object.hasOwn(table, value) ? table[value] : undefined),
  takes: Object.keys(table).join(", "),
});
const READS_ONLY = "has no meaning for a connection that only reads";

/** Parameters of libpq's URLs and of the JDBC driver's. */
export const urlParameters: UrlParameters = {
  user: { option: "user" },
  sslmode: { option: "tls", ...oneOf(LIBPQ_TLS) },
  ssl: { option: "tls", ...oneOf({ true: "verify-full", false: "disable" }) },
  sslrootcert: { option: "tlsCaFile" },
  sslcert: { option: "tlsCertFile" },
  sslkey: { option: "tlsKeyFile" },
  connect_timeout: { option: "connectTimeout" },
  connectTimeout: { option: "connectTimeout" },
  loginTimeout: { option: "connectTimeout" },
  application_name: { option: "applicationName" },
  ApplicationName: { option: "applicationName" },
  currentSchema: { option: "searchPath" },
  target_session_attrs: { option: "session", ...oneOf(TARGETS) },
  targetServerType: { option: "session", ...oneOf(TARGETS) },
  client_encoding: { refused: "rows always travel as UTF-8" },
  options: { refused: "settings of the session are the connector's; use searchPath for schemas" },
  socketTimeout: { refused: "give the load a deadline instead" },
  sslcrl: { refused: "revocation lists are not read" },
  sslfactory: { refused: "names Java code; use tlsCaFile" },
  gssencmode: { refused: "Kerberos is not supported" },
  krbsrvname: { refused: "Kerberos is not supported" },
  service: { refused: "service files are not read" },
  host: { refused: "put the host between // and /" },
  hostaddr: { refused: "put the host between // and /" },
  port: { refused: "put the port behind the host" },
  dbname: { refused: "put the database behind the host" },
  replication: { refused: READS_ONLY },
  readOnly: { harmless: "it always is" },
  readOnlyMode: { harmless: "it always is read-only" },
  defaultRowFetchSize: { harmless: "rows are streamed, by size" },
  tcpKeepAlive: { harmless: "it always is kept alive" },
  keepalives: { harmless: "it always is kept alive" },
  prepareThreshold: { harmless: "each statement runs once" },
  preferQueryMode: { harmless: "the protocol follows from the statement" },
  binaryTransfer: { harmless: "values travel as text, which loses nothing" },
  reWriteBatchedInserts: { harmless: READS_ONLY },
  stringtype: { harmless: READS_ONLY },
  autosave: { harmless: READS_ONLY },
};
