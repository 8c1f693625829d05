/** The catalog's tables as Kysely sees them; src/catalog/migrations makes them. */
export interface CatalogSchema {
  datasets: {
    uid: string;
    name: string;
    name_key: string;
    /** JSON object of strings. */
    labels: string;
    create_time: number;
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
}
