/** A condition on a source's rows that a load pushes down. Columns are named as the source names them. */
export type RowFilter =
  | { readonly op: "and" | "or"; readonly conditions: readonly RowFilter[] }
  | { readonly op: "not"; readonly condition: RowFilter }
  | { readonly op: "isNull"; readonly column: string }
  | {
      readonly op: "equal" | "notEqual" | "less" | "lessOrEqual" | "greater" | "greaterOrEqual";
      readonly column: string;
      readonly value: FilterValue;
    }
  | { readonly op: "in"; readonly column: string; readonly values: readonly FilterValue[] };

/** A number that a double can't hold, a date or a time comes as text. */
export type FilterValue = string | number | boolean;
