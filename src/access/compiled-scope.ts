import { matchesPattern } from "../config/name-pattern.ts";
import { nameKey } from "../datasets/names.ts";
import type { RowFilter } from "../sources/row-filter.ts";
import type { Restriction, Scope } from "./model.ts";

/** A scope whose patterns are ready to be asked: names of datasets and columns are compared as SQL does. */
export class CompiledScope {
  readonly scope: Scope;
  readonly #datasets: readonly string[];
  readonly #rows: readonly { readonly dataset: string; readonly filter: RowFilter }[];
  readonly #hidden: readonly { readonly dataset: string; readonly columns: readonly string[] }[];

  constructor(scope: Scope) {
    this.scope = scope;
    this.#datasets = scope.datasets.map(patternKey);
    this.#rows = scope.rows.map(({ dataset, filter }) => ({ dataset: patternKey(dataset), filter }));
    this.#hidden = scope.hidden.map(({ dataset, columns }) => ({
      dataset: patternKey(dataset),
      columns: columns.map(patternKey),
    }));
  }

  /** Whether rows or columns of any dataset are held back. */
  get restricts(): boolean {
    return this.#rows.length > 0 || this.#hidden.some(({ columns }) => columns.length > 0);
  }

  /** Whether nothing is held back. */
  get unbounded(): boolean {
    return !this.restricts && this.#datasets.includes("*");
  }

  grants(dataset: string): boolean {
    const key = patternKey(dataset);
    return this.#datasets.some((pattern) => matchesPattern(pattern, key));
  }

  filters(dataset: string): readonly RowFilter[] {
    const key = patternKey(dataset);
    return this.#rows.filter((rule) => matchesPattern(rule.dataset, key)).map(({ filter }) => filter);
  }

  hiddenPatterns(dataset: string): readonly string[] {
    const key = patternKey(dataset);
    return this.#hidden.filter((rule) => matchesPattern(rule.dataset, key)).flatMap(({ columns }) => columns);
  }
}

/** What several scopes, all of which hold, hold back of a dataset; undefined: nothing. */
export function restrictionOf(scopes: readonly CompiledScope[], dataset: string): Restriction | undefined {
  const filters = scopes.flatMap((scope) => scope.filters(dataset));
  const patterns = scopes.flatMap((scope) => scope.hiddenPatterns(dataset));
  if (filters.length === 0 && patterns.length === 0) return undefined;
  return {
    filters,
    hides: (column) => {
      const key = patternKey(column);
      return patterns.some((pattern) => matchesPattern(pattern, key));
    },
  };
}

/**
 * As names are compared, but letter by letter, so that a pattern of a part of a name is written as that part is: lower case has two
 * sigmas, by the place in the word, and two characters for one letter of Turkish.
 */
function patternKey(name: string): string {
  return nameKey(name).replaceAll("\u03c2", "\u03c3").replaceAll("i\u0307", "i");
}
