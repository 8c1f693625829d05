import type { Whose } from "../operations/owner.ts";
import type { RowFilter } from "../sources/row-filter.ts";

/** From the one that may least; each may what those before it may. */
export const roles = ["reader", "loader", "admin"] as const;
export type Role = (typeof roles)[number];

export function isAtLeast(role: Role, needed: Role): boolean {
  return roles.indexOf(role) >= roles.indexOf(needed);
}

/** Which datasets somebody may see, and what of them. In a pattern `*` stands for any text and `?` for one character. */
export interface Scope {
  /** Patterns of the names of datasets; none grants none. */
  readonly datasets: readonly string[];
  readonly rows: readonly RowRule[];
  readonly hidden: readonly HiddenRule[];
}

/** Of the datasets that a pattern matches only these rows are there. All rules for a dataset hold. */
export interface RowRule {
  readonly dataset: string;
  readonly filter: RowFilter;
}

/** Of the datasets that a pattern matches these columns are not there. */
export interface HiddenRule {
  readonly dataset: string;
  /** Patterns; upper and lower case make no difference. */
  readonly columns: readonly string[];
}

/** What somebody doesn't see of a dataset that he may read. */
export interface Restriction {
  /** All of them hold. */
  readonly filters: readonly RowFilter[];
  hides(column: string): boolean;
}

/** What a call may do and see: what its token gives it, less what the call itself gives up. */
export interface Access extends Whose {
  /** Who calls: the token's name. */
  readonly principal: string;
  /** Undefined: the token of the token file. */
  readonly tokenId: string | undefined;
  readonly role: Role;
  /** For whom it calls, by its own account; undefined unless it says. */
  readonly endUser: string | undefined;
  /** Tells answers apart that differ because of what may be seen; empty where everything may. */
  readonly scopeHash: string;
  /** Whether nothing is held back: no dataset, row or column. */
  readonly unbounded: boolean;
  /** Whether rows or columns of any dataset are held back. */
  readonly restricted: boolean;
  mayRead(dataset: string): boolean;
  /** What is held back of a dataset that may be read; undefined: nothing. */
  restriction(dataset: string): Restriction | undefined;
}
