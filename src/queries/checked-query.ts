import type { Expr } from "../engine/plan.ts";
import type { ColumnType } from "./column-type.ts";
import type { PlannedDimension } from "./dimensions.ts";
import type { PlannedMeasure } from "./measures.ts";
import type { AggregateQuery } from "./model.ts";
import type { Columns } from "./schema.ts";
import type { Typed } from "./scope.ts";

/** A calculated measure that was checked. */
export interface PlannedCalculation {
  readonly name: string;
  readonly typed: Typed;
}

/** The parts of a query after every name and type was checked. */
export interface CheckedQuery {
  readonly query: AggregateQuery;
  readonly columns: Columns;
  readonly dimensions: readonly PlannedDimension[];
  readonly measures: readonly PlannedMeasure[];
  readonly calculations: readonly PlannedCalculation[];
  readonly filter: Expr | undefined;
  readonly having: Expr | undefined;
  readonly top: PlannedTop | undefined;
  /** Names of the result, dimensions first, with their types. */
  readonly outputs: ReadonlyMap<string, ColumnType>;
}

/** A top-N that was checked. */
export interface PlannedTop {
  /** Which dimension. */
  readonly index: number;
  /** The measure or calculated measure that ranks. */
  readonly by: string;
  readonly count: number;
  readonly ascending: boolean;
  readonly others: boolean;
  /** The calculations that the ranking needs, in order. */
  readonly calculations: readonly PlannedCalculation[];
}
