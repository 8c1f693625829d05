import type { Expr, NamedExpr, Plan } from "../engine/plan.ts";
import { columnsOf } from "../engine/plan-columns.ts";
import type { PlannedCalculation } from "./checked-query.ts";
import type { PlannedDimension } from "./dimensions.ts";
import { column } from "./schema.ts";

/** A dimension's value in the result, from the key that was grouped by. */
export function resultOf({ finish }: PlannedDimension, key: Expr): Expr {
  return finish === undefined ? key : finish(key);
}

/** Adds calculated measures to the columns `passed`; with `order`, the last projection puts its columns into that order. */
export function addCalculations(
  input: Plan,
  calculations: readonly PlannedCalculation[],
  passed: readonly string[],
  order: readonly string[] = [],
): Plan {
  let plan = input;
  const names = [...passed];
  const ranks = new Map(order.map((name, rank) => [name, rank]));
  const rank = ({ name }: NamedExpr) => ranks.get(name) ?? order.length;
  for (const batch of independentBatches(calculations)) {
    const now = batch.map(({ name, typed }): NamedExpr => ({ name, expr: typed.expr }));
    const columns: readonly NamedExpr[] = [...names.map(column), ...now];
    plan = { op: "project", input: plan, columns: columns.toSorted((a, b) => rank(a) - rank(b)) };
    names.push(...batch.map(({ name }) => name));
  }
  return plan;
}

/** Splits calculations into runs none of which uses another of the same run, so that each is one projection. */
function independentBatches(calculations: readonly PlannedCalculation[]): readonly (readonly PlannedCalculation[])[] {
  const batches: PlannedCalculation[][] = [];
  const batchOf = new Map<string, number>();
  for (const calculation of calculations) {
    const needs = [...columnsOf(calculation.typed.expr)].map((name) => (batchOf.get(name) ?? -1) + 1);
    const batch = Math.max(0, ...needs);
    batchOf.set(calculation.name, batch);
    batches[batch] = [...(batches[batch] ?? []), calculation];
  }
  return batches;
}
