import type { MeasureOp, ScalarFunction, TimePart, TimeUnit } from "../engine/plan.ts";

/** A JSON scalar as clients give it; read as the type of the column that it meets. */
export type Scalar = null | boolean | number | string;

/** How old the version that is read may be. */
export interface Freshness {
  readonly maxAgeMs: number;
  /** Whether an older version will do while it is refreshed. */
  readonly allowStale: boolean;
}

/** An aggregate question; mirrors the contract's AggregateQuery, field for field, with defaults filled in. */
export interface AggregateQuery {
  readonly dataset: string;
  readonly version: number;
  readonly calculatedColumns: readonly CalculatedColumn[];
  readonly dimensions: readonly Dimension[];
  readonly measures: readonly Measure[];
  readonly calculatedMeasures: readonly CalculatedColumn[];
  readonly filter?: Filter;
  readonly having?: Filter;
  readonly order: readonly Order[];
  /** 0: no limit. */
  readonly limit: number;
  readonly offset: number;
  readonly totals: "none" | "grand" | "subtotals";
  readonly top?: TopN;
  /** Of the current version. */
  readonly freshness?: Freshness;
}

export interface TopN {
  readonly dimension?: string;
  readonly count: number;
  readonly measure: string;
  readonly ascending: boolean;
  readonly others: boolean;
}

export interface Dimension {
  readonly column: string;
  readonly alias?: string;
  readonly bucket?:
    | { readonly kind: "grain"; readonly unit: TimeUnit; readonly zone?: string; readonly weekStart: number }
    | { readonly kind: "part"; readonly part: TimePart; readonly zone?: string; readonly weekStart: number }
    | { readonly kind: "bin"; readonly width: number; readonly origin: number };
}

export interface Measure {
  readonly op: MeasureOp;
  readonly column?: string;
  readonly alias?: string;
  readonly quantile?: number;
  readonly filter?: Filter;
}

export interface CalculatedColumn {
  readonly name: string;
  readonly expression: Expression;
}

export type Expression =
  | { readonly kind: "column"; readonly name: string }
  | { readonly kind: "literal"; readonly value: Scalar; readonly type?: string }
  | { readonly kind: "call"; readonly fn: ScalarFunction; readonly args: readonly Expression[] }
  | {
      readonly kind: "case";
      readonly branches: readonly { readonly when: Expression; readonly value: Expression }[];
      readonly otherwise?: Expression;
    };

export type ComparisonOp = "equal" | "notEqual" | "less" | "lessOrEqual" | "greater" | "greaterOrEqual";

export type Filter =
  | { readonly kind: "all"; readonly filters: readonly Filter[] }
  | { readonly kind: "any"; readonly filters: readonly Filter[] }
  | { readonly kind: "not"; readonly filter: Filter }
  | { readonly kind: "compare"; readonly column: string; readonly op: ComparisonOp; readonly value: Scalar }
  | { readonly kind: "in"; readonly column: string; readonly values: readonly Scalar[] }
  | {
      readonly kind: "range";
      readonly column: string;
      readonly from?: Scalar;
      readonly to?: Scalar;
      readonly fromExclusive: boolean;
      readonly toExclusive: boolean;
    }
  | { readonly kind: "isNull"; readonly column: string }
  | {
      readonly kind: "text";
      readonly column: string;
      readonly op: "contains" | "startsWith" | "endsWith" | "glob";
      readonly text: string;
      readonly ignoreCase: boolean;
    };

export interface Order {
  readonly by: string;
  readonly descending: boolean;
  readonly nullsFirst: boolean;
}

/** What is asked. */
export type Question =
  | { readonly kind: "aggregate"; readonly query: AggregateQuery }
  | {
      readonly kind: "sql";
      readonly sql: string;
      readonly parameters: readonly Scalar[];
      /** Of datasets that are not read at their current version. */
      readonly versions?: Readonly<Record<string, number>>;
      readonly freshness?: Freshness;
    };
