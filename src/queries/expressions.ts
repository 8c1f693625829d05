import type { Expr } from "../engine/plan.ts";
import { type ColumnType, commonType, literalType, NULL } from "./column-type.ts";
import { SignatureError, typeCall } from "./functions.ts";
import { readLiteralExactly, readUntyped } from "./literals.ts";
import type { Expression } from "./model.ts";
import type { Place } from "./place.ts";
import { castTo, type Scope, type Typed } from "./scope.ts";

/** Deeper nesting is refused: neither people nor charts write it, and engines parse it by recursion. */
const MAX_DEPTH = 100;

/** Types an expression over the names of a scope. Throws INVALID_EXPRESSION or UNKNOWN_COLUMN at the field at fault. */
export function planExpression(expression: Expression, scope: Scope, place: Place, depth = 1): Typed {
  if (depth > MAX_DEPTH) throw place.error("INVALID_EXPRESSION", `expressions are nested deeper than ${MAX_DEPTH}`);
  switch (expression.kind) {
    case "column":
      return scope.resolve(expression.name, place.at("column"));
    case "literal":
      return planLiteral(expression, place.at("literal"));
    case "call":
      return planCall(expression, scope, place.at("call"), depth);
    case "case":
      return planCase(expression, scope, place.at("case"), depth);
  }
}

function planLiteral({ value, type }: Extract<Expression, { kind: "literal" }>, place: Place): Typed {
  const wanted = type === undefined ? undefined : literalType(type);
  if (type !== undefined && wanted === undefined)
    throw place
      .at("type")
      .error("INVALID_EXPRESSION", `there are no constants of type ${JSON.stringify(type)}`, { type });
  const reading = wanted === undefined ? readUntyped(value) : readLiteralExactly(value, wanted);
  if ("problem" in reading) throw place.at("value").error("INVALID_EXPRESSION", reading.problem);
  return reading;
}

function planCall(
  { fn, args }: Extract<Expression, { kind: "call" }>,
  scope: Scope,
  place: Place,
  depth: number,
): Typed {
  const typed = args.map((arg, index) => planExpression(arg, scope, place.item("arguments", index), depth + 1));
  try {
    return typeCall(fn, typed);
  } catch (error) {
    if (error instanceof SignatureError) throw place.error("INVALID_EXPRESSION", error.message);
    throw error;
  }
}

function planCase(
  { branches, otherwise }: Extract<Expression, { kind: "case" }>,
  scope: Scope,
  place: Place,
  depth: number,
): Typed {
  const typed = branches.map(({ when, value }, index) => {
    const at = place.item("branches", index);
    const condition = planExpression(when, scope, at.at("condition"), depth + 1);
    if (condition.type.kind !== "boolean" && condition.type.kind !== "null")
      throw at.at("condition").error("INVALID_EXPRESSION", `a condition must be BOOLEAN, not ${condition.type.type}`);
    return {
      when: condition.expr,
      value: planExpression(value, scope, at.at("value"), depth + 1),
      at: at.at("value"),
    };
  });
  const rest = otherwise && planExpression(otherwise, scope, place.at("otherwise"), depth + 1);
  let type: ColumnType = NULL;
  for (const { value, at } of [...typed, ...(rest ? [{ value: rest, at: place.at("otherwise") }] : [])]) {
    const both = commonType(type, value.type);
    if (both === undefined)
      throw at.error("INVALID_EXPRESSION", `${value.type.type} does not go with ${type.type} of the branches before`);
    type = both;
  }
  const cases: Extract<Expr, { kind: "case" }> = {
    kind: "case",
    branches: typed.map(({ when, value }) => ({ when, value: castTo(value, type).expr })),
  };
  return { expr: rest === undefined ? cases : { ...cases, otherwise: castTo(rest, type).expr }, type };
}
