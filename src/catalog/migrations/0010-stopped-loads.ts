import type { Migration } from "./migration.ts";

/** Lets any driver process ask the one that carries a load out to stop it. */
export const stoppedLoads: Migration = {
  version: 10,
  sql: `
    -- JSON: the error with which all who have asked for it shall be told.
    ALTER TABLE loads ADD COLUMN stop TEXT;
  `,
};
