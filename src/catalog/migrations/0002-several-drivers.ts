import type { Migration } from "./migration.ts";

/** What tells several driver processes of each other's datasets, readers and loads. */
export const severalDrivers: Migration = {
  version: 2,
  sql: `
    -- One row: the oldest format whose drivers can work with this catalog.
    CREATE TABLE catalog_format (compatible_from INTEGER NOT NULL) STRICT;
    INSERT INTO catalog_format (compatible_from) VALUES (1);

    -- The driver processes that keep the tables below; one that lives and is not here is of the first format.
    CREATE TABLE drivers (instance_id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;

    -- Datasets to be looked at again, each with the number of its latest change. Rows outlive their datasets for a while.
    CREATE TABLE dataset_changes (
      uid TEXT PRIMARY KEY,
      sequence INTEGER NOT NULL,
      time INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX dataset_changes_sequence ON dataset_changes (sequence);

    -- The versions that a driver process reads, and which therefore stay.
    CREATE TABLE version_holds (
      uid TEXT NOT NULL,
      version INTEGER NOT NULL,
      instance_id TEXT NOT NULL,
      PRIMARY KEY (uid, version, instance_id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX version_holds_instance ON version_holds (instance_id);

    -- Loads that run, at most one for each dataset, and for a while those that have ended.
    CREATE TABLE loads (
      operation_id TEXT PRIMARY KEY,
      instance_id TEXT NOT NULL,
      name_key TEXT NOT NULL,
      configuration TEXT NOT NULL,
      end_time INTEGER,
      result TEXT
    ) STRICT;
    CREATE UNIQUE INDEX loads_running ON loads (name_key) WHERE end_time IS NULL;

    -- In triggers, because drivers of the first format write only the tables that these watch.
    ${onChange("datasets_inserted", "INSERT ON datasets", "SELECT new.uid AS uid")}
    ${onChange("datasets_updated", "UPDATE ON datasets", "SELECT new.uid AS uid")}
    ${onChange("datasets_deleted", "DELETE ON datasets", "SELECT old.uid AS uid")}
    ${onChange("load_inserted", loadEnded("INSERT"), loadedDataset())}
    ${onChange("load_updated", loadEnded("UPDATE"), loadedDataset())}
  `,
};

function onChange(name: string, event: string, uids: string): string {
  return `
    CREATE TRIGGER ${name} AFTER ${event} BEGIN
      INSERT INTO dataset_changes (uid, sequence, time)
        SELECT uid, (SELECT coalesce(max(sequence), 0) + 1 FROM dataset_changes), unixepoch() * 1000
        FROM (${uids}) WHERE true
        ON CONFLICT (uid) DO UPDATE SET sequence = excluded.sequence, time = excluded.time;
    END;`;
}

function loadEnded(event: "INSERT" | "UPDATE"): string {
  return `${event} ON operations WHEN new.kind = 'load' AND new.state = 'succeeded'`;
}

function loadedDataset(): string {
  return "SELECT uid FROM datasets WHERE name = json_extract(new.body, '$.dataset')";
}
