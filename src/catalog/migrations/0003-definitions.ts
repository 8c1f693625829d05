import type { Migration } from "./migration.ts";

/** Connections and sources. Times are milliseconds since 1970. */
export const definitions: Migration = {
  version: 3,
  sql: `
    CREATE TABLE connections (
      uid TEXT PRIMARY KEY,
      name TEXT NOT NULL,
      name_key TEXT NOT NULL UNIQUE,
      kind TEXT NOT NULL,
      uri TEXT NOT NULL,
      options TEXT NOT NULL,
      -- A reference, never a secret.
      secret TEXT,
      -- The password under the key of the data directory.
      sealed TEXT,
      max_statements INTEGER,
      labels TEXT NOT NULL,
      create_time INTEGER NOT NULL,
      update_time INTEGER NOT NULL,
      revision INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE sources (
      uid TEXT PRIMARY KEY,
      name TEXT NOT NULL,
      name_key TEXT NOT NULL UNIQUE,
      kind TEXT NOT NULL,
      uri TEXT NOT NULL,
      options TEXT NOT NULL,
      connection TEXT,
      disabled INTEGER NOT NULL,
      labels TEXT NOT NULL,
      create_time INTEGER NOT NULL,
      update_time INTEGER NOT NULL,
      revision INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX sources_connection ON sources (connection) WHERE connection IS NOT NULL;
  `,
};
