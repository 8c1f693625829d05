import type { Migration } from "./migration.ts";

/** When datasets are refreshed, and what came of it. Times are milliseconds since 1970. */
export const datasetRefreshes: Migration = {
  version: 9,
  sql: `
    CREATE TABLE dataset_refreshes (
      uid TEXT PRIMARY KEY,
      -- JSON; NULL for none.
      schedule TEXT,
      next_time INTEGER,
      -- In a row, since the last one that succeeded.
      failures INTEGER NOT NULL DEFAULT 0,
      -- The version of which the source held nothing new, and when that was seen.
      seen_version INTEGER,
      seen_time INTEGER,
      last_operation_id TEXT,
      last_start_time INTEGER,
      last_end_time INTEGER,
      -- JSON, where the last one failed.
      last_error TEXT,
      -- The driver process that runs what is due.
      runner TEXT
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX dataset_refreshes_due ON dataset_refreshes (next_time) WHERE next_time IS NOT NULL;

    CREATE TRIGGER dataset_refreshes_deleted AFTER DELETE ON datasets BEGIN
      DELETE FROM dataset_refreshes WHERE uid = old.uid;
    END;

    -- One row at most: the driver process that starts what is due.
    CREATE TABLE schedule_runner (
      id INTEGER PRIMARY KEY CHECK (id = 1),
      instance_id TEXT NOT NULL
    ) STRICT;
  `,
};
