import type { Expr, MeasureExpr, NamedExpr, Plan, SortKey } from "../engine/plan.ts";

/** A plan as a plain JSON object, for reading only. */
export function planJson(plan: Plan): Readonly<Record<string, unknown>> {
  // 64-bit values have no JSON number.
  return JSON.parse(JSON.stringify(plan, (_, value) => (typeof value === "bigint" ? String(value) : value)));
}

/** A plan as indented text, the last step first. */
export function planText(plan: Plan, indent = ""): string {
  const lines = [`${indent}${headline(plan)}`];
  const deeper = `${indent}  `;
  if (plan.op === "top") lines.push(`${deeper}ranking:`, planText(plan.ranking, `${deeper}  `), `${deeper}rows:`);
  for (const input of inputsOf(plan)) lines.push(planText(input, plan.op === "top" ? `${deeper}  ` : deeper));
  return lines.join("\n");
}

function inputsOf(plan: Plan): readonly Plan[] {
  if (plan.op === "scan") return [];
  return plan.op === "unionAll" ? plan.inputs : [plan.input];
}

function headline(plan: Plan): string {
  switch (plan.op) {
    case "scan": {
      const segments = plan.segments ? ` segments ${plan.segments.from} to ${plan.segments.to - 1}` : "";
      return `scan ${name(plan.dataset)} version ${plan.version}${segments} (${plan.columns.map(name).join(", ")})`;
    }
    case "filter":
      return `filter ${exprText(plan.condition)}`;
    case "project":
      return `project ${plan.columns.map(namedText).join(", ")}`;
    case "aggregate":
      return aggregateText(plan);
    case "top":
      return `top ${plan.count} of ${name(plan.column)} by ${name(plan.by)} ${plan.ascending ? "ascending" : "descending"}${plan.othersColumn === undefined ? "" : `, others as ${name(plan.othersColumn)}`}`;
    case "sort":
      return `sort ${plan.keys.map(keyText).join(", ")}`;
    case "limit":
      return `limit ${plan.limit ?? "none"}${plan.offset ? ` offset ${plan.offset}` : ""}${plan.counted ? ` counting where ${exprText(plan.counted)}` : ""}`;
    case "unionAll":
      return "union all";
  }
}

function aggregateText({ groups, measures, rollup }: Extract<Plan, { op: "aggregate" }>): string {
  const by = groups.length === 0 ? "all rows" : `by ${groups.map(namedText).join(", ")}`;
  const levels = rollup?.levels.map((names) => `(${names.map(name).join(", ")})`).join(", ");
  const computed = measures.length === 0 ? "" : ` computing ${measures.map(measureText).join(", ")}`;
  return `aggregate ${by}${computed}${levels === undefined ? "" : ` with levels ${levels}`}`;
}

function measureText({ name: output, op, argument, quantile, quantiles, filter }: MeasureExpr): string {
  const args = [argument && exprText(argument), quantile, quantiles?.join(", ")].filter((arg) => arg !== undefined);
  return `${op}(${args.join(", ")})${filter ? ` where ${exprText(filter)}` : ""} as ${name(output)}`;
}

function namedText({ name: output, expr }: NamedExpr): string {
  return expr.kind === "column" && expr.name === output ? name(output) : `${exprText(expr)} as ${name(output)}`;
}

function keyText({ expr, descending, nullsFirst }: SortKey): string {
  return `${exprText(expr)}${descending ? " descending" : ""}${nullsFirst ? " nulls first" : ""}`;
}

/** Names that are more than a word are quoted, so that the text can be read in one way only. */
function name(text: string): string {
  return /^[\p{L}_][\p{L}\p{N}_]*$/u.test(text) ? text : JSON.stringify(text);
}

const MAX_VALUES = 10;

function exprText(expr: Expr): string {
  switch (expr.kind) {
    case "column":
      return name(expr.name);
    case "literal":
      return expr.value === null ? "null" : `${JSON.stringify(String(expr.value))}:${expr.type}`;
    case "cast":
      return `cast(${exprText(expr.arg)}, ${expr.type})`;
    case "call":
      return `${expr.fn}(${expr.args.map(exprText).join(", ")})`;
    case "case": {
      const branches = expr.branches.map(({ when, value }) => `when ${exprText(when)} then ${exprText(value)}`);
      return `case(${branches.join(" ")}${expr.otherwise ? ` else ${exprText(expr.otherwise)}` : ""})`;
    }
    case "in": {
      const shown = expr.values.slice(0, MAX_VALUES).map(exprText).join(", ");
      const more = expr.values.length > MAX_VALUES ? `, … ${expr.values.length} in all` : "";
      return `in(${exprText(expr.arg)}, [${shown}${more}])`;
    }
    case "textMatch":
      return `${expr.op}(${exprText(expr.arg)}, ${JSON.stringify(expr.text)}${expr.ignoreCase ? ", ignoring case" : ""})`;
    case "timeGrain":
      return `${expr.unit}(${exprText(expr.arg)}${expr.zone === undefined ? "" : `, ${expr.zone}`}${weekStart(expr)})`;
    case "timePart":
      return `${expr.part}(${exprText(expr.arg)}${weekStart(expr)})`;
    case "clockBegin":
    case "toLocal":
    case "fromLocal":
      return `${expr.kind}(${exprText(expr.arg)}, ${expr.zone})`;
    case "bin":
      return `bin(${exprText(expr.arg)}, ${expr.width.value}, ${expr.origin.value})`;
  }
}

function weekStart(expr: { readonly weekStart: number }): string {
  return expr.weekStart === 1 ? "" : `, week from day ${expr.weekStart}`;
}
