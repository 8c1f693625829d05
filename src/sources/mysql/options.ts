import { isIP } from "node:net";
import { DriverError } from "../../errors/driver-error.ts";
import type { Server, SourceSpec } from "../connector.ts";
import {
  connectionOptions as common,
  connectTimeoutMsOf,
  type TlsSettings,
  tlsSettingsOf,
} from "../database/connection-options.ts";
import { type DatabaseSettings, databaseOptions, databaseSettingsOf } from "../database/options.ts";
import { type DatabaseUrl, parseDatabaseUrl } from "../database/url.ts";
import { connectionValues } from "../database/url-parameters.ts";
import { invalidOption, parseOptions } from "../option-values.ts";
import type { OptionSchema } from "../options.ts";
import { shownUri } from "../shown-uri.ts";
import type { ZeroDates } from "./text-form.ts";
import type { Times } from "./types.ts";
import { urlParameters, withoutOldSwitches } from "./url-parameters.ts";

export const SCHEMES = ["mysql", "mariadb"] as const;

const ZERO_DATES = ["fail", "null", "text"] as const satisfies readonly ZeroDates[];
const TIMES = ["time", "seconds", "text"] as const satisfies readonly Times[];

/** What a source in MySQL or MariaDB can be told. */
export const options = {
  ...databaseOptions,
  partitions: {
    ...databaseOptions.partitions,
    doc: `${databaseOptions.partitions.doc} So that all see the same rows, the table is locked against writers until they have begun (LOCK TABLES, 2 seconds of waiting at most); where the login may not do that, and for queries, one worker reads all, with a warning.`,
  },
  zeroDates: {
    type: "string",
    doc: "What happens to dates that no calendar has (`0000-00-00`, `2024-00-10`, `2024-02-31`): `fail` the load and name the column, make them `null`, or keep the columns of dates and times as `text`.",
    default: "fail, or what the connection says",
    choices: ZERO_DATES,
  },
  times: {
    type: "string",
    doc: "What a TIME is, which may lie between -838:59:59 and 838:59:59: a `time` of day, where others fail the load; a length of time in `seconds`, as an exact decimal; or its `text`.",
    default: "time",
    choices: TIMES,
  },
  transfer: {
    type: "string",
    doc: "How rows travel: `text` as the protocol's bytes, the fast way; `rows` as values, one by one. Both give the same.",
    default: "text",
    choices: ["text", "rows"],
  },
} as const satisfies OptionSchema;

/** What a connection to MySQL or MariaDB can be told. */
export const connectionOptions = {
  ...common,
  compress: {
    type: "boolean",
    doc: "Whether rows are compressed on their way: worth it over slow networks only.",
    default: "false",
  },
  zeroDates: {
    type: "string",
    doc: "What sources without the option of this name do.",
    default: "fail",
    choices: ZERO_DATES,
  },
} as const satisfies OptionSchema;

export type Transfer = "text" | "rows";

export interface MysqlSettings extends DatabaseSettings {
  readonly transfer: Transfer;
  /** Undefined leaves it to the connection. */
  readonly zeroDates: ZeroDates | undefined;
  readonly times: Times;
}

/** What the options of a source say. Throws UNKNOWN_OPTION, INVALID_OPTION. */
export function settingsOf(given: SourceSpec["options"]): MysqlSettings {
  const values = parseOptions("mysql", options, given);
  return {
    ...databaseSettingsOf(values),
    transfer: (values.text("transfer") as Transfer | undefined) ?? "text",
    zeroDates: values.text("zeroDates") as ZeroDates | undefined,
    times: (values.text("times") as Times | undefined) ?? "time",
  };
}

/** What a connection says, after its checks. */
export interface MysqlServer {
  /** In the order in which they are tried. */
  readonly hosts: readonly { readonly host: string; readonly port: number }[];
  readonly database: string | undefined;
  readonly user: string;
  readonly tls: TlsSettings;
  readonly connectTimeoutMs: number;
  readonly compress: boolean;
  readonly zeroDates: ZeroDates;
}

const DEFAULT_PORT = 3_306;

/** What a connection says. Throws INVALID_CONNECTION and what `connectionValues` throws. */
export function serverOf({ uri, options: given }: Pick<Server, "uri" | "options">): MysqlServer {
  const url = withoutOldSwitches(parseDatabaseUrl(uri));
  requireScheme(url);
  const user = given.user ?? url.user;
  const values = connectionValues("mysql", connectionOptions, urlParameters, url, {
    ...given,
    ...(user !== undefined && { user }),
  });
  const login = values.text("user");
  if (login === undefined || login === "")
    throw invalidConnection(uri, "lacks a user: mysql://USER@HOST/DATABASE, or the option user");
  const hosts = url.hosts.length > 0 ? url.hosts : [{ host: "localhost", port: undefined }];
  const tls = tlsSettingsOf(values);
  const address = hosts.find(({ host }) => isIP(host) !== 0);
  if (tls.mode === "verify-full" && address !== undefined)
    throw invalidOption("tls", tls.mode, `possible for the address ${address.host}: name the host, or use verify-ca`);
  return {
    hosts: hosts.map(({ host, port }) => ({ host, port: port ?? DEFAULT_PORT })),
    database: url.database,
    user: login,
    tls,
    connectTimeoutMs: connectTimeoutMsOf(values),
    compress: values.flag("compress") ?? false,
    zeroDates: (values.text("zeroDates") as ZeroDates | undefined) ?? "fail",
  };
}

function requireScheme({ scheme }: DatabaseUrl): void {
  if (SCHEMES.some((known) => known === scheme)) return;
  throw new DriverError("INVALID_CONNECTION", `${scheme}:// is no URL of MySQL or MariaDB`, { metadata: { scheme } });
}

function invalidConnection(uri: string, why: string): DriverError {
  const shown = shownUri(uri);
  return new DriverError("INVALID_CONNECTION", `${JSON.stringify(shown)} ${why}`, { metadata: { uri: shown } });
}
