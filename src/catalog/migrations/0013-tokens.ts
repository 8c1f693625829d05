import type { Migration } from "./migration.ts";

/** Tokens beside the one of the token file, and whose uploads are. Times are milliseconds since 1970. */
export const tokens: Migration = {
  version: 13,
  sql: `
    CREATE TABLE tokens (
      id TEXT PRIMARY KEY,
      name TEXT NOT NULL COLLATE NOCASE,
      role TEXT NOT NULL,
      -- JSON; NULL: everything.
      scope TEXT,
      created_by TEXT NOT NULL,
      create_time INTEGER NOT NULL,
      -- How long each of its texts holds; NULL: for ever.
      lifetime_ms INTEGER,
      -- The key of its present text.
      current_key TEXT NOT NULL,
      revoke_time INTEGER
    ) STRICT, WITHOUT ROWID;
    CREATE UNIQUE INDEX tokens_by_name ON tokens (name) WHERE revoke_time IS NULL;
    CREATE TABLE token_keys (
      -- The part of a text that is no secret.
      key TEXT PRIMARY KEY,
      token_id TEXT NOT NULL,
      -- Of the whole text, in hexadecimal digits.
      sha256 TEXT NOT NULL,
      create_time INTEGER NOT NULL,
      -- NULL: never.
      expire_time INTEGER,
      -- To a minute; NULL: not yet.
      use_time INTEGER
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX token_keys_by_token ON token_keys (token_id);
    -- JSON; NULL where it was sent before there were owners.
    ALTER TABLE uploads ADD COLUMN owner TEXT;
  `,
};
