import type { Migration } from "./migration.ts";

/** Which library sets driver processes work with, each from its start to its end. */
export const librarySetUses: Migration = {
  version: 12,
  sql: `
    CREATE TABLE library_set_uses (
      instance_id TEXT NOT NULL,
      -- As the driver's configuration calls the set; the name may point to another one by now.
      name TEXT NOT NULL,
      hash TEXT NOT NULL,
      -- For people.
      profile TEXT NOT NULL,
      pid INTEGER NOT NULL,
      host TEXT NOT NULL,
      PRIMARY KEY (instance_id, name)
    ) STRICT, WITHOUT ROWID;
  `,
};
