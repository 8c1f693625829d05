import type { DuckDBConnection } from "@duckdb/node-api";
import type { InstanceSettings } from "../connection.ts";
import { quoteLiteral } from "../quoting.ts";

/** What the reading instance may use. */
export interface ReaderLimits {
  readonly memoryLimitBytes: number;
  readonly threads: number;
  /** Where intermediate results go that do not fit into memory. Must exist; DuckDB may write there. */
  readonly spillDirectory: string;
  readonly maxSpillBytes: number;
}

/** The settings that every connection of the reader sets for itself; they stay open when all others are locked. */
const sessionSettings = ["enable_progress_bar", "enable_progress_bar_print", "progress_bar_time"];

/** Settings to open the reading instance with. The instance is safe only after `lockDown`. */
export function readerSettings(limits: ReaderLimits): InstanceSettings {
  return {
    memory_limit: `${Math.floor(limits.memoryLimitBytes)}B`,
    threads: String(limits.threads),
    temp_directory: limits.spillDirectory,
    max_temp_directory_size: `${Math.floor(limits.maxSpillBytes)}B`,
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
    allow_community_extensions: "false",
    allow_unsigned_extensions: "false",
    allow_persistent_secrets: "false",
    allowed_configs: `[${sessionSettings.map(quoteLiteral).join(", ")}]`,
  };
}

/**
 * Locks the reading instance for good: no file outside of `allowedDirectories` (and the spill folder) can be reached, no
 * extension loaded, no setting changed. Still possible are the settings of `Connection.open` and attaching in-memory
 * databases. The order matters: the folders can't be changed without external access, nothing can after the lock.
 */
export async function lockDown(
  connection: DuckDBConnection,
  { allowedDirectories }: { readonly allowedDirectories: readonly string[] },
): Promise<void> {
  await connection.run(`SET GLOBAL allowed_directories = [${allowedDirectories.map(quoteLiteral).join(", ")}]`);
  // Casts between TIMESTAMP and TIMESTAMPTZ must not depend on the machine's zone.
  await connection.run("SET GLOBAL TimeZone = 'UTC'");
  await connection.run("SET GLOBAL enable_external_access = false");
  await connection.run("SET GLOBAL lock_configuration = true");
}
