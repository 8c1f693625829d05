import type { PostgresConnection } from "./connection.ts";
import { quoteName, quoteText } from "./quoting.ts";

/** What depends on the server's version: `server_version_num`, 0 where it has none. */
export interface ServerVersion {
  readonly number: number;
  /** Elsewhere not every server can look at its clients while it computes, and refuses to be told so. */
  readonly onLinux: boolean;
}

/** The first version with this feature. */
const SINCE = {
  idleTimeout: 90_600,
  explainJson: 90_000,
  /** Ranges of places in the file are read without reading the rest. */
  placeRanges: 140_000,
  connectionCheck: 140_000,
} as const;

export function has(version: ServerVersion, feature: keyof typeof SINCE): boolean {
  return version.number >= SINCE[feature];
}

export async function versionOf(connection: PostgresConnection): Promise<ServerVersion> {
  const [row] = await connection.run(
    "SELECT pg_catalog.current_setting('server_version_num'), pg_catalog.version() LIKE '%linux%'",
  );
  return { number: Number(row?.[0] ?? 0), onLinux: row?.[1] === "t" };
}

export interface BeginOptions {
  readonly version: ServerVersion;
  readonly searchPath: readonly string[] | undefined;
  readonly preview: boolean;
  /** The snapshot that another session has exported. */
  readonly snapshot?: string;
}

/**
 * Begins a transaction that only reads, in one snapshot, with settings under which texts mean the same everywhere. They are
 * local to the transaction: between it and the server may be a pool of sessions.
 */
export async function begin(connection: PostgresConnection, options: BeginOptions): Promise<void> {
  const { version, searchPath, snapshot, preview } = options;
  const statements = [
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    ...(snapshot === undefined ? [] : [`SET TRANSACTION SNAPSHOT ${quoteText(snapshot)}`]),
    ...Object.entries({
      standard_conforming_strings: "on",
      datestyle: "ISO",
      intervalstyle: "iso_8601",
      timezone: "UTC",
      extra_float_digits: "3",
      bytea_output: "hex",
      // The session that has planned is idle until the others have joined it.
      ...(has(version, "idleTimeout") && { idle_in_transaction_session_timeout: "0" }),
      // How soon the server notices that a worker has died while it computes.
      ...(version.onLinux && has(version, "connectionCheck") && { client_connection_check_interval: "500ms" }),
      // A preview looks at its first rows twice: they must be the same ones.
      ...(preview && {
        synchronize_seqscans: "off",
        max_parallel_workers_per_gather: "0",
        enable_indexonlyscan: "off",
      }),
    }).map(([name, value]) => `SET LOCAL ${name} = '${value}'`),
    ...(searchPath === undefined ? [] : [`SET LOCAL search_path = ${searchPath.map(quoteName).join(", ")}`]),
  ];
  await connection.run(statements.join("; "));
}
