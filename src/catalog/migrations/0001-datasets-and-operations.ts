import type { Migration } from "./migration.ts";

/** The first format: names of datasets and the history of operations. Times are milliseconds since 1970. */
export const datasetsAndOperations: Migration = {
  version: 1,
  sql: `
    CREATE TABLE datasets (
      uid TEXT PRIMARY KEY,
      name TEXT NOT NULL,
      name_key TEXT NOT NULL UNIQUE,
      labels TEXT NOT NULL,
      create_time INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE operations (
      id TEXT PRIMARY KEY,
      instance_id TEXT NOT NULL,
      kind TEXT NOT NULL,
      state TEXT NOT NULL,
      create_time INTEGER NOT NULL,
      end_time INTEGER,
      body TEXT NOT NULL
    ) STRICT;
    CREATE INDEX operations_ended ON operations (kind, end_time) WHERE end_time IS NOT NULL;
    CREATE INDEX operations_unfinished ON operations (instance_id) WHERE end_time IS NULL;
  `,
};
