import { DriverError } from "../../errors/driver-error.ts";
import type { Reason } from "../../errors/reasons.ts";
import { faultInCode } from "../database/fault-in-code.ts";

/** What errors say of the server, and what they must not show. */
export interface ServerFacts {
  /** The connection's name. */
  readonly name: string;
  readonly password: string | undefined;
}

/** Reasons by SQLSTATE, else by its class: the first two characters. https://www.postgresql.org/docs/current/errcodes-appendix.html */
const REASONS: Readonly<Record<string, Reason>> = {
  "28": "LOGIN_REFUSED",
  "3D000": "LOGIN_REFUSED",
  "08": "CONNECTION_FAILED",
  "53300": "CONNECTION_FAILED",
  "57P": "CONNECTION_FAILED",
  "42501": "SOURCE_ACCESS_DENIED",
};

const TLS_CODES =
  /^(ERR_TLS|ERR_SSL|ERR_OSSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA|EPROTO$)/;
const NO_TLS = "The server does not support SSL connections";

/** The error of the API that an error of pg, of its socket or of the server means. */
export function postgresError(error: unknown, facts: ServerFacts): DriverError {
  if (error instanceof DriverError) return error;
  if (!(error instanceof Error)) return DriverError.from(error);
  const state = sqlStateOf(error);
  if (state !== undefined) {
    const reason = REASONS[state] ?? REASONS[state.slice(0, 3)] ?? REASONS[state.slice(0, 2)] ?? "SOURCE_QUERY_FAILED";
    return made(reason, `${error.message}${placeOf(error)} (SQLSTATE ${state})`, facts, error, { sqlState: state });
  }
  const code = "code" in error ? String(error.code) : "";
  if (error.message === NO_TLS) return made("CONNECTION_TLS_FAILED", "the server has no TLS", facts, error);
  if (TLS_CODES.test(code)) return made("CONNECTION_TLS_FAILED", `TLS: ${error.message}`, facts, error);
  if (/^SASL|password must be/.test(error.message)) return loginError(error, facts);
  return faultInCode(error, facts) ?? made("CONNECTION_FAILED", error.message || code, facts, error);
}

/** The server's code of an error; undefined for errors of sockets and of the client. */
export function sqlStateOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error) || !("severity" in error)) return undefined;
  return typeof error.code === "string" && /^[0-9A-Z]{5}$/.test(error.code) ? error.code : undefined;
}

export function lacksTls(error: unknown): boolean {
  return error instanceof Error && error.message === NO_TLS;
}

function loginError(error: Error, facts: ServerFacts): DriverError {
  const why = facts.password === undefined ? "the server asks for a password and none is given" : error.message;
  return made("LOGIN_REFUSED", why, facts, error);
}

function placeOf(error: Error): string {
  const detail = "detail" in error && typeof error.detail === "string" ? `: ${error.detail}` : "";
  const hint = "hint" in error && typeof error.hint === "string" ? ` (${error.hint})` : "";
  return `${detail}${hint}`;
}

function made(
  reason: Reason,
  message: string,
  { name, password }: ServerFacts,
  cause: Error,
  more: Readonly<Record<string, string>> = {},
): DriverError {
  const hide = (text: string) => (password ? text.replaceAll(password, "…") : text);
  return new DriverError(reason, hide(`${name}: ${message}`), {
    metadata: { connection: name, ...more },
    // The cause is logged, so it must not hold the password either.
    cause: password && cause.message.includes(password) ? undefined : cause,
  });
}
