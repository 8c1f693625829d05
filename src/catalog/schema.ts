import type { Generated } from "kysely";

/** The catalog's tables as Kysely sees them; src/catalog/migrations makes them. */
export interface CatalogSchema {
  datasets: {
    uid: string;
    name: string;
    name_key: string;
    /** JSON object of strings. */
    labels: string;
    create_time: number;
    storage_level: Generated<string>;
    /** NULL where no driver that knows the column has published one. */
    newest_version: Generated<number | null>;
    /** JSON of the newest version's; NULL where no driver that knows the column has published one. */
    lineage: Generated<string | null>;
  };
  operations: {
    id: string;
    instance_id: string;
    kind: string;
    state: string;
    create_time: number;
    end_time: number | null;
    /** JSON: the rest of the snapshot. */
    body: string;
  };
  drivers: {
    instance_id: string;
  };
  dataset_changes: {
    uid: string;
    sequence: number;
    time: number;
  };
  version_holds: {
    uid: string;
    version: number;
    instance_id: string;
  };
  loads: {
    operation_id: string;
    instance_id: string;
    name_key: string;
    /** JSON, the same text for the same load. */
    configuration: string;
    end_time: number | null;
    /** JSON, once it has ended. */
    result: string | null;
    /** JSON: why somebody wants it to stop. */
    stop: string | null;
  };
  connections: {
    uid: string;
    name: string;
    name_key: string;
    kind: string;
    uri: string;
    /** JSON object. */
    options: string;
    secret: string | null;
    sealed: string | null;
    max_statements: number | null;
    /** JSON object of strings. */
    labels: string;
    create_time: number;
    update_time: number;
    revision: number;
  };
  sources: {
    uid: string;
    name: string;
    name_key: string;
    kind: string;
    uri: string;
    /** JSON object. */
    options: string;
    connection: string | null;
    /** 0 or 1. */
    disabled: number;
    /** JSON object of strings. */
    labels: string;
    create_time: number;
    update_time: number;
    revision: number;
  };
  uploads: {
    id: string;
    file: string;
    name: string;
    format: string;
    size: number | null;
    sha256: string | null;
    writer: string | null;
    requested_by: string;
    create_time: number;
    use_time: number;
    finish_time: number | null;
    /** JSON; NULL where it was sent before there were owners. */
    owner: Generated<string | null>;
  };
  tokens: {
    id: string;
    name: string;
    role: string;
    /** JSON; NULL: everything. */
    scope: string | null;
    created_by: string;
    create_time: number;
    /** NULL: for ever. */
    lifetime_ms: number | null;
    current_key: string;
    revoke_time: number | null;
  };
  token_keys: {
    key: string;
    token_id: string;
    sha256: string;
    create_time: number;
    expire_time: number | null;
    use_time: number | null;
  };
  dataset_refreshes: {
    uid: string;
    /** JSON. */
    schedule: string | null;
    next_time: number | null;
    failures: Generated<number>;
    seen_version: number | null;
    seen_time: number | null;
    last_operation_id: string | null;
    last_start_time: number | null;
    last_end_time: number | null;
    /** JSON. */
    last_error: string | null;
    runner: string | null;
  };
  library_set_uses: {
    instance_id: string;
    name: string;
    hash: string;
    profile: string;
    pid: number;
    host: string;
  };
  schedule_runner: {
    id: number;
    instance_id: string;
  };
}
