/**
 * A step of the catalog's format. Steps only ever add: a column or table that is no longer wanted stays for one release, so
 * that the driver before an upgrade can go on until it has drained.
 */
export interface Migration {
  /** What `user_version` is afterwards. */
  readonly version: number;
  readonly sql: string;
}
