import type { MeasureExpr } from "../../plan.ts";
import { type ExpressionContext, renderExpr } from "./expressions.ts";

/** A measure as an SQL aggregate. */
export function renderMeasure(measure: MeasureExpr, context: ExpressionContext): string {
  const filter = measure.filter && renderExpr(measure.filter, context);
  if (measure.argument === undefined) return filtered("count(*)", filter);
  const argument = renderExpr(measure.argument, context);
  switch (measure.op) {
    case "countDistinct":
      return filtered(`count(DISTINCT ${argument})`, filter);
    case "variance":
      return spread("var_samp", argument, measure.argumentType, filter);
    case "stddev":
      return spread("stddev_samp", argument, measure.argumentType, filter);
    case "median":
      return filtered(`quantile_cont(${argument}, 0.5)`, filter);
    case "quantile":
      return filtered(`quantile_cont(${argument}, ${number(measure.quantile ?? 0, "DOUBLE")})`, filter);
    case "approxCountDistinct":
      return filtered(`approx_count_distinct(${argument})`, filter);
    case "approxQuantiles":
      return approximateQuantiles(argument, measure, filter);
    case "count":
    case "sum":
    case "avg":
    case "min":
    case "max":
      return filtered(`${measure.op}(${argument})`, filter);
  }
}

function filtered(aggregate: string, filter: string | undefined): string {
  return filter === undefined ? aggregate : `${aggregate} FILTER (WHERE ${filter})`;
}

/** DuckDB raises an error for NaN and infinities, whose variance is NaN like every other sum over them. */
function spread(name: string, argument: string, type: string | undefined, filter: string | undefined): string {
  if (type !== "DOUBLE" && type !== "FLOAT") return filtered(`${name}(${argument})`, filter);
  const finite = `CASE WHEN isfinite(${argument}) THEN ${argument} END`;
  const [all, some] = [argument, finite].map((values) => filtered(`count(${values})`, filter));
  const value = filtered(`${name}(${finite})`, filter);
  return `CASE WHEN ${all} = ${some} THEN ${value} WHEN ${all} > 1 THEN CAST('NaN' AS DOUBLE) END`;
}

function approximateQuantiles(argument: string, { quantiles = [] }: MeasureExpr, filter: string | undefined): string {
  const list = quantiles.map((quantile) => number(quantile, "FLOAT")).join(", ");
  return filtered(`approx_quantile(${argument}, [${list}])`, filter);
}

// Quantiles must be constants when the statement is planned, which a parameter is not.
function number(value: number, type: string): string {
  if (!(value >= 0 && value <= 1)) throw new TypeError(`${value} is no quantile`);
  return `CAST(${value} AS ${type})`;
}
