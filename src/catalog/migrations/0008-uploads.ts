import type { Migration } from "./migration.ts";

/** Files that clients have sent. Times are milliseconds since 1970. */
export const uploads: Migration = {
  version: 8,
  sql: `
    CREATE TABLE uploads (
      id TEXT PRIMARY KEY,
      -- Its name in the folder of uploads, made by the driver.
      file TEXT NOT NULL UNIQUE,
      -- The client's name for it: a label.
      name TEXT NOT NULL,
      format TEXT NOT NULL,
      -- What the client has announced, then what it was.
      size INTEGER,
      sha256 TEXT,
      -- The driver process that receives it.
      writer TEXT,
      requested_by TEXT NOT NULL,
      create_time INTEGER NOT NULL,
      -- When it was last begun, gone on with, finished or used.
      use_time INTEGER NOT NULL,
      finish_time INTEGER
    ) STRICT, WITHOUT ROWID;
  `,
};
