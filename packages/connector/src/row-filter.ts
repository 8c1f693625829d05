/**
 * A condition on a source's rows that a load pushes down; of the same shape as a query's filter. Columns are named as the
 * dataset will name them, and need not be among those that are kept.
 */
export type RowFilter =
  | { readonly kind: "all"; readonly filters: readonly RowFilter[] }
  | { readonly kind: "any"; readonly filters: readonly RowFilter[] }
  /** A row for which the inner one is unknown because of NULL fails both. */
  | { readonly kind: "not"; readonly filter: RowFilter }
  | {
      readonly kind: "compare";
      readonly column: string;
      readonly op: "equal" | "notEqual" | "less" | "lessOrEqual" | "greater" | "greaterOrEqual";
      readonly value: FilterValue;
    }
  /** NULL in the list matches NULL. */
  | { readonly kind: "in"; readonly column: string; readonly values: readonly FilterValue[] }
  | {
      readonly kind: "range";
      readonly column: string;
      readonly from?: FilterValue;
      readonly to?: FilterValue;
      readonly fromExclusive: boolean;
      readonly toExclusive: boolean;
    }
  | { readonly kind: "isNull"; readonly column: string }
  | {
      readonly kind: "text";
      readonly column: string;
      /** In a `glob` the sign `*` stands for any text and `?` for one character. */
      readonly op: "contains" | "startsWith" | "endsWith" | "glob";
      readonly text: string;
      readonly ignoreCase: boolean;
    };

/** Read as the column's type. A number that a double can't hold, a date or a time comes as text. */
export type FilterValue = null | string | number | boolean;
