/**
 * A step of the catalog's format. Steps only ever add: a column or table that is no longer wanted stays for one release, so
 * that the driver before an upgrade can go on until it has drained. What is added has defaults, and triggers keep it right
 * where drivers write that don't know it.
 */
export interface Migration {
  /** What `user_version` is afterwards. */
  readonly version: number;
  readonly sql: string;
  /**
   * For a step that takes away what an earlier release has stopped using: the oldest format whose drivers can still work
   * with the catalog. All before it are refused from then on.
   */
  readonly compatibleFrom?: number;
}
