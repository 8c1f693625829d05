import type { RowFilter } from "@drover/connector";

export type { FilterValue, RowFilter } from "@drover/connector";

/** The columns that a filter names, each once. */
export function filteredColumns(filter: RowFilter | undefined): readonly string[] {
  return filter === undefined ? [] : [...new Set(namesIn(filter))];
}

function namesIn(filter: RowFilter): readonly string[] {
  switch (filter.kind) {
    case "all":
    case "any":
      return filter.filters.flatMap(namesIn);
    case "not":
      return namesIn(filter.filter);
    default:
      return [filter.column];
  }
}
