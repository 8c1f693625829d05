import type { Expr } from "../../plan.ts";
import { functions } from "./functions.ts";
import type { Parameters } from "./parameters.ts";
import { renderClockBegin, renderFromLocal, renderGrain, renderPart, renderToLocal } from "./times.ts";

/** Where an expression's names come from and its values go to. */
export interface ExpressionContext {
  readonly parameters: Parameters;
  /** The SQL of a column. */
  readonly column: (name: string) => string;
}

type Kind<K extends Expr["kind"]> = Extract<Expr, { readonly kind: K }>;

/** An expression as SQL text. */
export function renderExpr(expr: Expr, context: ExpressionContext): string {
  const { parameters } = context;
  switch (expr.kind) {
    case "column":
      return context.column(expr.name);
    case "literal":
      return parameters.literal(expr);
    case "cast":
      return `CAST(${renderExpr(expr.arg, context)} AS ${expr.type})`;
    case "call":
      return functions[expr.fn](
        expr.args.map((arg) => renderExpr(arg, context)),
        expr.argType ?? "",
        (value, use) => parameters.once(value, use),
      );
    case "case":
      return renderCase(expr, context);
    case "in":
      return renderIn(expr, context);
    case "textMatch":
      return renderTextMatch(expr, context);
    case "timeGrain":
      return renderGrain(expr, renderExpr(expr.arg, context), () => parameters.text(expr.zone ?? "UTC"));
    case "timePart":
      return renderPart(expr, renderExpr(expr.arg, context));
    case "toLocal":
      return renderToLocal(expr, renderExpr(expr.arg, context), parameters.text(expr.zone));
    case "clockBegin":
      return renderClockBegin(renderExpr(expr.arg, context), expr.unit, parameters.text(expr.zone));
    case "fromLocal":
      return renderFromLocal(renderExpr(expr.arg, context), parameters.text(expr.zone));
    case "bin":
      return renderBin(expr, context);
  }
}

function renderCase({ branches, otherwise }: Kind<"case">, context: ExpressionContext): string {
  const cases = branches.map(
    ({ when, value }) => `WHEN ${renderExpr(when, context)} THEN ${renderExpr(value, context)}`,
  );
  const rest = otherwise === undefined ? "" : ` ELSE ${renderExpr(otherwise, context)}`;
  return `CASE ${cases.join(" ")}${rest} END`;
}

// A few values as a list; many as one parameter in JSON: 10,000 in a list took 366 ms, 100,000 in JSON 71.
const MAX_LISTED = 20;

function renderIn({ arg, values }: Kind<"in">, context: ExpressionContext): string {
  const [first] = values;
  if (first === undefined) return "FALSE";
  const subject = renderExpr(arg, context);
  if (values.length <= MAX_LISTED || first.type === "BLOB")
    return `(${subject} IN (${values.map((value) => context.parameters.literal(value)).join(", ")}))`;
  const json = context.parameters.text(JSON.stringify(values.map(({ value }) => String(value))));
  const list = `from_json(${json}, '["VARCHAR"]')`;
  return `(${subject} IN (SELECT unnest(${first.type === "VARCHAR" ? list : `CAST(${list} AS ${first.type}[])`})))`;
}

function renderTextMatch({ op, arg, text, ignoreCase }: Kind<"textMatch">, context: ExpressionContext): string {
  const fold = (sql: string) => (ignoreCase ? `lower(${sql})` : sql);
  const subject = fold(renderExpr(arg, context));
  if (op === "glob") {
    const pattern = text
      .replace(/[\\%_]/g, "\\$&")
      .replaceAll("*", "%")
      .replaceAll("?", "_");
    return `(${subject} LIKE ${fold(context.parameters.text(pattern))} ESCAPE '\\')`;
  }
  const name = { contains: "contains", startsWith: "starts_with", endsWith: "suffix" }[op];
  return `${name}(${subject}, ${fold(context.parameters.text(text))})`;
}

/**
 * Exact types take the remainder off, so that no rounding can move a value over a bound. For doubles the number of the range
 * is found by division, which can be off by one at the bounds: it is put right by comparing.
 */
function renderBin({ arg, type, width, origin }: Kind<"bin">, context: ExpressionContext): string {
  const value = `CAST(${renderExpr(arg, context)} AS ${type})`;
  const w = context.parameters.literal(width);
  const o = context.parameters.literal(origin);
  const rest = `(${value} - ${o}) % ${w}`;
  // Between the additions there is always room, but at the full width of a decimal.
  if (type.startsWith("DECIMAL(38,")) return `(${value} - ${rest} - CASE WHEN ${rest} < 0 THEN ${w} ELSE 0 END)`;
  if (type !== "DOUBLE") return `CAST(${value} - (${rest} + ${w}) % ${w} AS ${type})`;
  const index = `floor((${value} - ${o}) / ${w})`;
  const bound = (index: string) => `${o} + (${index}) * ${w}`;
  const step = `CASE WHEN ${bound(index)} > ${value} THEN -1 WHEN ${bound(`${index} + 1`)} <= ${value} THEN 1 ELSE 0 END`;
  return `CASE WHEN isfinite(${index}) THEN ${bound(`${index} + ${step}`)} ELSE ${value} END`;
}
