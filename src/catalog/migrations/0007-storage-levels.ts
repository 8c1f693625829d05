import type { Migration } from "./migration.ts";

/**
 * Where each dataset is kept (drivers that don't know it keep every one as `memory` says), and which version is its newest, with
 * the lineage that makes it again where its folder is lost.
 */
export const storageLevels: Migration = {
  version: 7,
  sql: `
    ALTER TABLE datasets ADD COLUMN storage_level TEXT NOT NULL DEFAULT 'memory';
    ALTER TABLE datasets ADD COLUMN newest_version INTEGER;
    ALTER TABLE datasets ADD COLUMN lineage TEXT;
  `,
};
