import { DriverError } from "../../errors/driver-error.ts";
import type { Reason } from "../../errors/reasons.ts";
import { faultInCode } from "../database/fault-in-code.ts";

/** By the server's own codes and those of mysql2 and Node; what is not here is the statement's own fault. */
const REASONS: Readonly<Record<string, Reason>> = {
  ...all("CONNECTION_FAILED", [
    ...["ECONNREFUSED", "ECONNRESET", "EPIPE", "ENOTFOUND", "EAI_AGAIN", "ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH"],
    ...["PROTOCOL_CONNECTION_LOST", "PROTOCOL_ERROR", "PROTOCOL_UNEXPECTED_PACKET", "PROTOCOL_SEQUENCE_TIMEOUT"],
    ...["HANDSHAKE_UNKNOWN_ERROR", "ER_CON_COUNT_ERROR", "ER_USER_LIMIT_REACHED", "ER_TOO_MANY_USER_CONNECTIONS"],
    ...[
      "ER_HOST_IS_BLOCKED",
      "ER_HOST_NOT_PRIVILEGED",
      "ER_SERVER_SHUTDOWN",
      "ER_NORMAL_SHUTDOWN",
      "ER_NET_READ_ERROR",
    ],
    // MariaDB's own 1927: the connection was killed.
    ...["ER_CLIENT_INTERACTION_TIMEOUT", "ER_HANDSHAKE_ERROR", "1927"],
  ]),
  ...all("CONNECTION_TLS_FAILED", [
    ...["HANDSHAKE_NO_SSL_SUPPORT", "HANDSHAKE_SSL_ERROR", "ER_SECURE_TRANSPORT_REQUIRED"],
  ]),
  ...all("LOGIN_REFUSED", [
    ...["ER_ACCESS_DENIED_ERROR", "ER_ACCESS_DENIED_NO_PASSWORD_ERROR", "ER_DBACCESS_DENIED_ERROR", "ER_BAD_DB_ERROR"],
    ...["ER_ACCOUNT_HAS_BEEN_LOCKED", "ER_MUST_CHANGE_PASSWORD", "ER_MUST_CHANGE_PASSWORD_LOGIN"],
    // MariaDB's own 4151: the account is locked.
    ...["ER_NOT_SUPPORTED_AUTH_MODE", "AUTH_SWITCH_PLUGIN_ERROR", "4151"],
  ]),
  ...all("SOURCE_ACCESS_DENIED", [
    ...["ER_TABLEACCESS_DENIED_ERROR", "ER_COLUMNACCESS_DENIED_ERROR", "ER_SPECIFIC_ACCESS_DENIED_ERROR"],
    ...["ER_VIEW_NO_EXPLAIN", "ER_PROCACCESS_DENIED_ERROR"],
  ]),
  ...all("SOURCE_NOT_FOUND", ["ER_NO_SUCH_TABLE", "ER_UNKNOWN_TABLE"]),
  // The snapshot is older than the table's shape, or a column that was planned has gone.
  ...all("SOURCE_CHANGED", ["ER_TABLE_DEF_CHANGED", "ER_CHECKREAD"]),
};

function all(reason: Reason, codes: readonly string[]): Readonly<Record<string, Reason>> {
  return Object.fromEntries(codes.map((code) => [code, reason]));
}

/** What errors say of the server, and what they must not show. */
export interface ServerFacts {
  /** The connection's name. */
  readonly name: string;
  readonly password: string | undefined;
}

/** The error of the API that an error of the server, the network or mysql2 means. */
export function mysqlError(error: unknown, facts: ServerFacts): DriverError {
  if (error instanceof DriverError) return error;
  if (!(error instanceof Error)) return DriverError.from(error);
  const { code, sqlState, errno } = error as { code?: string; sqlState?: string; errno?: number };
  const known = [code, errno].map((key) => REASONS[String(key)]).find((found) => found !== undefined);
  const fault = known === undefined && sqlState === undefined ? faultInCode(error, facts) : undefined;
  if (fault !== undefined) return fault;
  const { name, password } = facts;
  const reason = known ?? (sqlState === undefined ? "CONNECTION_FAILED" : "SOURCE_QUERY_FAILED");
  const said = error.message === "" ? (code ?? "the connection broke") : error.message;
  const message = `${name}: ${said}${sqlState === undefined ? "" : ` (SQLSTATE ${sqlState})`}`;
  return new DriverError(reason, password ? message.replaceAll(password, "…") : message, {
    metadata: {
      connection: name,
      ...(code !== undefined && { code }),
      ...(sqlState !== undefined && { sqlState }),
    },
  });
}

/** The server has no TLS. */
export function lacksTls(error: unknown): boolean {
  return error instanceof DriverError && error.metadata.code === "HANDSHAKE_NO_SSL_SUPPORT";
}
