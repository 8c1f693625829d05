import { DriverError } from "../../errors/driver-error.ts";
import type { Server, SourceSpec } from "../connector.ts";
import {
  connectionOptions as common,
  connectTimeoutMsOf,
  type TlsSettings,
  tlsSettingsOf,
} from "../database/connection-options.ts";
import { type DatabaseSettings, databaseOptions, databaseSettingsOf } from "../database/options.ts";
import { type DatabaseHost, type DatabaseUrl, parseDatabaseUrl } from "../database/url.ts";
import { connectionValues } from "../database/url-parameters.ts";
import { withTable } from "../database/with-table.ts";
import { parseOptions } from "../option-values.ts";
import type { OptionSchema } from "../options.ts";
import { urlParameters } from "./url-parameters.ts";

export const SCHEMES = ["postgresql", "postgres"] as const;

/** What a source in PostgreSQL can be told. */
export const options = {
  ...databaseOptions,
  transfer: {
    type: "string",
    doc: "How rows travel: `copy` by COPY, the fast way; `rows` by a cursor, where COPY is not to be had; `auto` by COPY unless the server refuses it.",
    default: "auto",
    choices: ["auto", "copy", "rows"],
  },
} as const satisfies OptionSchema;

const SESSIONS = ["any", "primary", "standby", "prefer-standby"] as const;

/** What a connection to PostgreSQL can be told. */
export const connectionOptions = {
  ...common,
  applicationName: {
    type: "string",
    doc: "What `pg_stat_activity` shows as the application.",
    default: "drover",
  },
  searchPath: {
    type: "stringList",
    doc: "The schemas in which tables are looked for whose schema is not named.",
    default: "the server's",
    example: "sales,public",
  },
  session: {
    type: "string",
    doc: "Which of several hosts will do: `any` in their order, a `primary`, a `standby`, or `prefer-standby`.",
    default: "any",
    choices: SESSIONS,
  },
} as const satisfies OptionSchema;

export type SessionKind = (typeof SESSIONS)[number];
export type Transfer = "auto" | "copy" | "rows";

export interface PostgresSettings extends DatabaseSettings {
  readonly transfer: Transfer;
}

/** What the options of a source, and its own URL if it has one, say. Throws UNKNOWN_OPTION, INVALID_OPTION. */
export function settingsOf(given: SourceSpec["options"], uri = ""): PostgresSettings {
  const values = parseOptions("postgres", options, withTable(given, uri));
  return { ...databaseSettingsOf(values), transfer: (values.text("transfer") as Transfer | undefined) ?? "auto" };
}

/** What a connection says, after its checks. */
export interface PostgresServer {
  readonly hosts: readonly Required<{ readonly [K in keyof DatabaseHost]: NonNullable<DatabaseHost[K]> }>[];
  readonly database: string;
  readonly user: string;
  readonly tls: TlsSettings;
  readonly connectTimeoutMs: number;
  readonly applicationName: string;
  readonly searchPath: readonly string[] | undefined;
  readonly session: SessionKind;
}

const DEFAULT_PORT = 5_432;

/** What a connection says. Throws INVALID_CONNECTION and what `connectionValues` throws. */
export function serverOf({ uri, options: given }: Pick<Server, "uri" | "options">): PostgresServer {
  const url = parseDatabaseUrl(uri);
  requireScheme(url);
  const { user, ...withoutUser } = { user: url.user, ...given };
  const values = connectionValues("postgres", connectionOptions, urlParameters, url, {
    ...withoutUser,
    ...(user !== undefined && { user }),
  });
  const login = values.text("user");
  if (login === undefined || login === "")
    throw lacking(uri, "a user: postgresql://USER@HOST/DATABASE, or the option user");
  const hosts = url.hosts.length > 0 ? url.hosts : [{ host: "localhost", port: undefined }];
  return {
    hosts: hosts.map(({ host, port }) => ({ host, port: port ?? DEFAULT_PORT })),
    database: url.database ?? login,
    user: login,
    tls: tlsSettingsOf(values),
    connectTimeoutMs: connectTimeoutMsOf(values),
    applicationName: values.text("applicationName") ?? "drover",
    searchPath: values.list("searchPath"),
    session: (values.text("session") as SessionKind | undefined) ?? "any",
  };
}

function requireScheme({ scheme }: DatabaseUrl): void {
  if (SCHEMES.some((known) => known === scheme)) return;
  throw new DriverError("INVALID_CONNECTION", `${scheme}:// is no URL of PostgreSQL`, { metadata: { scheme } });
}

function lacking(uri: string, what: string): DriverError {
  return new DriverError("INVALID_CONNECTION", `${JSON.stringify(uri)} lacks ${what}`, { metadata: { uri } });
}
