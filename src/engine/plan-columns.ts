import type { Expr } from "./plan.ts";

/** The names of the columns that an expression reads. */
export function columnsOf(expr: Expr, into: Set<string> = new Set()): Set<string> {
  switch (expr.kind) {
    case "column":
      into.add(expr.name);
      break;
    case "literal":
      break;
    case "call":
      for (const arg of expr.args) columnsOf(arg, into);
      break;
    case "case":
      for (const { when, value } of expr.branches) {
        columnsOf(when, into);
        columnsOf(value, into);
      }
      if (expr.otherwise) columnsOf(expr.otherwise, into);
      break;
    default:
      columnsOf(expr.arg, into);
  }
  return into;
}
