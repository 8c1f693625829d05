/** Why a connector may say that it failed; docs/errors.md says what they mean. They reach the user as they are. */
export const CONNECTOR_REASONS = [
  "UNKNOWN_OPTION",
  "INVALID_OPTION",
  "INVALID_SOURCE",
  "INVALID_CONNECTION",
  "PASSWORD_REQUIRED",
  "CONNECTION_FAILED",
  "CONNECTION_TLS_FAILED",
  "LOGIN_REFUSED",
  "SOURCE_ACCESS_DENIED",
  "SOURCE_QUERY_FAILED",
  "SOURCE_FETCH_FAILED",
  "SOURCE_NOT_FOUND",
  "SOURCE_UNREADABLE",
  "SOURCE_TOO_LARGE",
  "SOURCE_ENCODING",
  "SOURCE_TRUNCATED",
  "SOURCE_CHANGED",
  "EMPTY_SOURCE",
  "MALFORMED_SOURCE",
  "UNKNOWN_COLUMN",
  "INVALID_FILTER",
  "TYPE_UNSUPPORTED",
  "VALUE_OUT_OF_RANGE",
  "LOAD_TYPE_MISMATCH",
] as const;

export type ConnectorReason = (typeof CONNECTOR_REASONS)[number];

/** Every value that the message was made of, for machines. */
export type ErrorMetadata = Readonly<Record<string, string>>;

/**
 * What went wrong with a source, for people: the message names the place and the values, never a secret. Anything else that a
 * connector throws is a fault of its own, and reaches the user as CONNECTOR_FAILED with the package's name.
 */
export class ConnectorError extends Error {
  override readonly name = "ConnectorError";
  readonly reason: ConnectorReason;
  readonly metadata: ErrorMetadata;

  constructor(
    reason: ConnectorReason,
    message: string,
    metadata: ErrorMetadata = {},
    options: { readonly cause?: unknown } = {},
  ) {
    super(message, options);
    this.reason = reason;
    this.metadata = metadata;
  }
}
