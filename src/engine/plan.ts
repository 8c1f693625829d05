/**
 * The engine-neutral plan: relational algebra over one scan of a dataset's version. The planner (src/queries) makes it, an
 * engine renders it. Names in a plan are data, never SQL; every engine quotes them itself.
 */
export type Plan =
  | ScanPlan
  | { readonly op: "filter"; readonly input: Plan; readonly condition: Expr }
  | { readonly op: "project"; readonly input: Plan; readonly columns: readonly NamedExpr[] }
  | AggregatePlan
  | TopPlan
  | { readonly op: "sort"; readonly input: Plan; readonly keys: readonly SortKey[] }
  | LimitPlan
  | { readonly op: "unionAll"; readonly inputs: readonly Plan[] };

/** Reads columns of one version of a dataset. */
export interface ScanPlan {
  readonly op: "scan";
  readonly dataset: string;
  readonly version: number;
  readonly columns: readonly string[];
  /** Gives the rows as they are stored, one after the other. */
  readonly ordered?: true;
  /** Reads the stored segments `from` up to and without `to` (indexes in the manifest's order), even if the version is in memory. */
  readonly segments?: { readonly from: number; readonly to: number };
  /** Names for two more columns, with `segments` only: the segment's index and the row's number in its file, both from 0. */
  readonly position?: { readonly segment: string; readonly row: string };
}

/** Cuts rows, in the order of the sort below it. */
export interface LimitPlan {
  readonly op: "limit";
  readonly input: Plan;
  readonly limit?: number;
  readonly offset?: number;
  /** Only rows for which it is true are counted and cut; all others pass. */
  readonly counted?: Expr;
}

/** Groups rows; one output row for each combination of `groups` (one in all when there are none). Its columns: groups, measures, level. */
export interface AggregatePlan {
  readonly op: "aggregate";
  readonly input: Plan;
  readonly groups: readonly NamedExpr[];
  readonly measures: readonly MeasureExpr[];
  /**
   * Extra grouping levels, each a list of group names, for totals and subtotals. Every output row then carries
   * `levelColumn`: 0 for the finest level, else the number of group columns that were rolled up.
   */
  readonly rollup?: { readonly levels: readonly (readonly string[])[]; readonly levelColumn: string };
}

/**
 * Ranks the values of `column` in `ranking` (a plan with columns `column` and `by`, whose ties are broken by `column`, NULL
 * last in both), and marks each row of `input`: its value stays where it is among the first `count`, else it is NULL and
 * `othersColumn` true, or, without `othersColumn`, the row is left out.
 */
export interface TopPlan {
  readonly op: "top";
  readonly input: Plan;
  readonly column: string;
  readonly ranking: Plan;
  readonly by: string;
  readonly ascending: boolean;
  readonly count: number;
  readonly othersColumn?: string;
}

export interface NamedExpr {
  readonly name: string;
  readonly expr: Expr;
}

export interface SortKey {
  readonly expr: Expr;
  readonly descending: boolean;
  readonly nullsFirst: boolean;
}

export type MeasureOp =
  | "count"
  | "countDistinct"
  | "sum"
  | "avg"
  | "min"
  | "max"
  | "variance"
  | "stddev"
  | "median"
  | "quantile";

export interface MeasureExpr {
  readonly name: string;
  /** The last two are for column statistics: an estimate, and a list of estimates for `quantiles`. */
  readonly op: MeasureOp | "approxCountDistinct" | "approxQuantiles";
  readonly argument?: Expr;
  /** The argument's type; needed for an argument. */
  readonly argumentType?: string;
  readonly quantile?: number;
  readonly quantiles?: readonly number[];
  readonly filter?: Expr;
}

export type TimeUnit = "second" | "minute" | "hour" | "day" | "week" | "month" | "quarter" | "year";
export type TimePart =
  | "minuteOfHour"
  | "hourOfDay"
  | "dayOfWeek"
  | "dayOfMonth"
  | "dayOfYear"
  | "weekOfYear"
  | "monthOfYear"
  | "quarterOfYear";

/**
 * An expression. `type` and `argType` are SQL texts of types (see Column.type). The planner puts in the casts that bring
 * arguments to one type, so an engine need not widen anything by itself.
 */
export type Expr =
  | { readonly kind: "column"; readonly name: string }
  | { readonly kind: "literal"; readonly value: null | boolean | number | bigint | string; readonly type: string }
  | { readonly kind: "cast"; readonly arg: Expr; readonly type: string }
  | { readonly kind: "call"; readonly fn: ScalarFunction; readonly args: readonly Expr[]; readonly argType?: string }
  | {
      readonly kind: "case";
      readonly branches: readonly { readonly when: Expr; readonly value: Expr }[];
      readonly otherwise?: Expr;
    }
  /** False for an empty list. The values are literals of one type, none of them NULL. */
  | { readonly kind: "in"; readonly arg: Expr; readonly values: readonly LiteralExpr[] }
  | {
      readonly kind: "textMatch";
      readonly op: "contains" | "startsWith" | "endsWith" | "glob";
      readonly arg: Expr;
      readonly text: string;
      readonly ignoreCase: boolean;
    }
  /**
   * The beginning of the period, in the argument's own type (TIMESTAMP for finer and coarser ones). weekStart 1 = Monday … 7.
   * An instant is cut in UTC. With `zone` (for units below a day) argument and result are instants, cut as the zone's clock
   * shows; of minutes and hours the result tells periods apart, but is their beginning only after `clockBegin`, which is meant
   * for groups, not rows.
   */
  | {
      readonly kind: "timeGrain";
      readonly arg: Expr;
      readonly argType: string;
      readonly unit: TimeUnit;
      readonly zone?: string;
      readonly weekStart: number;
    }
  | {
      readonly kind: "timePart";
      readonly arg: Expr;
      readonly argType: string;
      readonly part: TimePart;
      readonly weekStart: number;
    }
  /** An instant, or a TIMESTAMP read as UTC, as local time of a zone: a TIMESTAMP. */
  | { readonly kind: "toLocal"; readonly arg: Expr; readonly argType: string; readonly zone: string }
  /** The beginning of a zone's minute or hour: where the clock was set within the period, that moment. */
  | { readonly kind: "clockBegin"; readonly arg: Expr; readonly unit: TimeUnit; readonly zone: string }
  /** The first instant at which a zone's clocks show a local TIMESTAMP or, where they skip it, the instant of the skip. */
  | { readonly kind: "fromLocal"; readonly arg: Expr; readonly zone: string }
  /** The lower bound of the range that holds the argument, as `type`. NaN and infinities stay what they are. */
  | {
      readonly kind: "bin";
      readonly arg: Expr;
      readonly type: string;
      readonly width: LiteralExpr;
      readonly origin: LiteralExpr;
    };

export type LiteralExpr = Extract<Expr, { readonly kind: "literal" }>;

export type ScalarFunction =
  | "add"
  | "subtract"
  | "multiply"
  | "divide"
  | "modulo"
  | "negate"
  | "equal"
  | "notEqual"
  | "less"
  | "lessOrEqual"
  | "greater"
  | "greaterOrEqual"
  | "and"
  | "or"
  | "not"
  | "isNull"
  | "coalesce"
  | "nullIf"
  | "least"
  | "greatest"
  | "abs"
  | "round"
  | "floor"
  | "ceil"
  | "sqrt"
  | "power"
  | "exp"
  | "ln"
  | "log10"
  | "lower"
  | "upper"
  | "trim"
  | "length"
  | "substring"
  | "concat"
  | "replace"
  | "startsWith"
  | "contains"
  | "year"
  | "quarter"
  | "month"
  | "day"
  | "hour"
  | "minute"
  | "secondsBetween"
  | "daysBetween"
  | "toText"
  | "toDouble"
  | "toInteger"
  | "toDate"
  | "toTimestamp";
