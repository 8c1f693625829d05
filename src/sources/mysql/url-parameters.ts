import type { TlsMode } from "../database/connection-options.ts";
import type { DatabaseUrl } from "../database/url.ts";
import type { UrlParameters } from "../database/url-parameters.ts";

const TLS: Readonly<Record<string, TlsMode>> = {
  DISABLED: "disable",
  PREFERRED: "prefer",
  REQUIRED: "require",
  VERIFY_CA: "verify-ca",
  VERIFY_IDENTITY: "verify-full",
  // MariaDB Connector/J
  disable: "disable",
  trust: "require",
  "verify-ca": "verify-ca",
  "verify-full": "verify-full",
};
/** What `withoutOldSwitches` has left is no switch. */
const OLD_SWITCH = { option: "tls", read: () => undefined, takes: "true or false" };
const ZERO_DATES = { EXCEPTION: "fail", exception: "fail", CONVERT_TO_NULL: "null", convertToNull: "null" };

const oneOf = (table: Readonly<Record<string, string>>) => ({
  read: (value: string) => (Object.hasOwn(table, value) ? table[value] : undefined),
  takes: Object.keys(table).join(", "),
});
/** The drivers count milliseconds; 0 means no limit there. */
const seconds = {
  read: (value: string) => (/^[1-9]\d{0,8}$/.test(value) ? String(Math.ceil(Number(value) / 1_000)) : undefined),
  takes: "milliseconds above 0",
};
const READS_ONLY = "has no meaning for a connection that only reads";
const KEY_STORE = "names a Java key store; use tlsCaFile, tlsCertFile and tlsKeyFile";
const UTC = "the session's time zone is always UTC, in which TIMESTAMP values are exact";

/** Parameters of the JDBC drivers of MySQL and MariaDB and of mysql2's URLs. */
export const urlParameters: UrlParameters = {
  user: { option: "user" },
  sslMode: { option: "tls", ...oneOf(TLS) },
  "ssl-mode": { option: "tls", ...oneOf(TLS) },
  useSSL: OLD_SWITCH,
  requireSSL: OLD_SWITCH,
  verifyServerCertificate: OLD_SWITCH,
  serverSslCert: { option: "tlsCaFile" },
  "ssl-ca": { option: "tlsCaFile" },
  "ssl-cert": { option: "tlsCertFile" },
  "ssl-key": { option: "tlsKeyFile" },
  connectTimeout: { option: "connectTimeout", ...seconds },
  zeroDateTimeBehavior: { option: "zeroDates", ...oneOf(ZERO_DATES) },
  useCompression: { option: "compress", ...oneOf({ true: "true", false: "false" }) },
  compress: { option: "compress", ...oneOf({ true: "true", false: "false" }) },
  tinyInt1isBit: { refused: "a TINYINT(1) holds more than two values, so it is always a number" },
  transformedBitIsBoolean: { refused: "a TINYINT(1) holds more than two values, so it is always a number" },
  yearIsDateType: { refused: "a YEAR is always a number" },
  noDatetimeStringSync: { harmless: "texts are not made from dates here" },
  useUnicode: { harmless: "it always is" },
  characterEncoding: { refused: "rows always travel as UTF-8" },
  charset: { refused: "rows always travel as UTF-8" },
  connectionCollation: { refused: "comparisons are the columns' own" },
  serverTimezone: { refused: UTC },
  connectionTimeZone: { refused: UTC },
  timezone: { refused: UTC },
  forceConnectionTimeZoneToSession: { refused: UTC },
  sessionVariables: { refused: "settings of the session are the connector's" },
  allowMultiQueries: { refused: "a source is one statement" },
  allowLoadLocalInfile: { refused: "no file of the driver's machine is ever sent" },
  allowUrlInLocalInfile: { refused: "no file of the driver's machine is ever sent" },
  allowPublicKeyRetrieval: { refused: "use TLS, which needs no public key" },
  serverRSAPublicKeyFile: { refused: "use TLS, which needs no public key" },
  authenticationPlugins: { refused: "the server chooses how it asks for the password" },
  defaultAuthenticationPlugin: { refused: "the server chooses how it asks for the password" },
  trustCertificateKeyStoreUrl: { refused: KEY_STORE },
  trustCertificateKeyStoreType: { refused: KEY_STORE },
  clientCertificateKeyStoreUrl: { refused: KEY_STORE },
  clientCertificateKeyStoreType: { refused: KEY_STORE },
  keyStore: { refused: KEY_STORE },
  trustStore: { refused: KEY_STORE },
  tlsVersions: { refused: "Node's own versions of TLS are used" },
  enabledTLSProtocols: { refused: "Node's own versions of TLS are used" },
  enabledSslProtocolSuites: { refused: "Node's own versions of TLS are used" },
  tlsCiphersuites: { refused: "Node's own ciphers are used" },
  enabledSslCipherSuites: { refused: "Node's own ciphers are used" },
  socketTimeout: { refused: "give the load a deadline instead" },
  localSocket: { refused: "use a host and a port" },
  pipe: { refused: "use a host and a port" },
  socketFactory: { refused: "names Java code" },
  transactionIsolation: { refused: "a load reads one snapshot" },
  autoReconnect: { refused: "a load that goes on elsewhere would not be one snapshot; it is tried again as a whole" },
  loadBalanceStrategy: { refused: "hosts are tried in their order" },
  readOnly: { harmless: "it always is" },
  useCursorFetch: { harmless: "rows are streamed" },
  defaultFetchSize: { harmless: "rows are streamed" },
  useServerPrepStmts: { harmless: "each statement runs once" },
  cachePrepStmts: { harmless: "each statement runs once" },
  prepStmtCacheSize: { harmless: "each statement runs once" },
  prepStmtCacheSqlLimit: { harmless: "each statement runs once" },
  cacheServerConfiguration: { harmless: "each connection is asked" },
  tcpKeepAlive: { harmless: "it always is kept alive" },
  tcpNoDelay: { harmless: "it always is" },
  useLocalSessionState: { harmless: "changes nothing that can be seen" },
  maintainTimeStats: { harmless: "changes nothing that can be seen" },
  rewriteBatchedStatements: { harmless: READS_ONLY },
  useAffectedRows: { harmless: READS_ONLY },
  autocommit: { harmless: READS_ONLY },
  maxPerformance: { harmless: "changes nothing that can be seen" },
  supportBigNumbers: { harmless: "no number loses digits" },
  bigNumberStrings: { harmless: "no number loses digits" },
  dateStrings: { harmless: "dates are never turned into those of JavaScript" },
};

const OLD_TLS = ["useSSL", "requireSSL", "verifyServerCertificate"];

/** The three switches for TLS of older JDBC URLs, which only together have a meaning, as the one that took their place. */
export function withoutOldSwitches(url: DatabaseUrl): DatabaseUrl {
  const switches = new Map(
    url.parameters.filter(([name, value]) => OLD_TLS.includes(name) && /^(?:true|false)$/.test(value)),
  );
  if (switches.size === 0) return url;
  const isOn = (name: string) => switches.get(name) === "true";
  const required = isOn("requireSSL") ? "REQUIRED" : "PREFERRED";
  const mode = isOn("verifyServerCertificate") ? "VERIFY_CA" : required;
  const rest = url.parameters.filter(([name]) => !switches.has(name));
  return { ...url, parameters: [...rest, ["sslMode", switches.get("useSSL") === "false" ? "DISABLED" : mode]] };
}
