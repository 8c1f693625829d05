import type { Expr, LiteralExpr, ScalarFunction } from "../engine/plan.ts";
import { type ColumnType, commonType, NULL, VARCHAR } from "./column-type.ts";
import { readLiteral } from "./literals.ts";
import type { Filter, Scalar } from "./model.ts";
import type { Place } from "./place.ts";
import { castTo, type Scope, type Typed } from "./scope.ts";

const MAX_DEPTH = 100;

type Kind<K extends Filter["kind"]> = Extract<Filter, { readonly kind: K }>;

/** Turns a filter over the names of a scope into a condition. Throws INVALID_FILTER or UNKNOWN_COLUMN at the field at fault. */
export function planFilter(filter: Filter, scope: Scope, place: Place, depth = 1): Expr {
  if (depth > MAX_DEPTH) throw place.error("INVALID_FILTER", `conditions are nested deeper than ${MAX_DEPTH}`);
  switch (filter.kind) {
    case "all":
    case "any":
      return planList(filter, scope, place.at(filter.kind), depth);
    case "not":
      return call("not", planFilter(filter.filter, scope, place.at("not"), depth + 1));
    case "compare":
      return planComparison(filter, scope, place.at("compare"));
    case "in":
      return planMembership(filter, scope, place.at("in"));
    case "range":
      return planRange(filter, scope, place.at("range"));
    case "isNull":
      return call("isNull", scope.resolve(filter.column, place.at("is_null")).expr);
    case "text":
      return planText(filter, scope, place.at("text"));
  }
}

function call(fn: ScalarFunction, ...args: readonly Expr[]): Expr {
  return { kind: "call", fn, args };
}

function planList({ kind, filters }: Kind<"all" | "any">, scope: Scope, place: Place, depth: number): Expr {
  const conditions = filters.map((filter, index) => planFilter(filter, scope, place.item("filters", index), depth + 1));
  if (conditions.length === 0) return { kind: "literal", value: kind === "all", type: "BOOLEAN" };
  return kind === "all" ? joined("and", conditions) : joined("or", withLists(conditions));
}

function joined(fn: "and" | "or", conditions: readonly Expr[]): Expr {
  const [first] = conditions;
  return conditions.length === 1 && first !== undefined ? first : call(fn, ...conditions);
}

/** Makes one list of a column that is equal to any of several values: engines take 2 s to plan 10,000 of them one by one. */
function withLists(conditions: readonly Expr[]): readonly Expr[] {
  const lists = new Map<string, { readonly arg: Expr; readonly values: LiteralExpr[] }>();
  const rest: Expr[] = [];
  for (const condition of conditions) {
    const [arg, value] = condition.kind === "call" && condition.fn === "equal" ? condition.args : [];
    if (arg === undefined || value?.kind !== "literal") {
      rest.push(condition);
      continue;
    }
    const key = JSON.stringify([arg, value.type]);
    const list = lists.get(key) ?? { arg, values: [] };
    list.values.push(value);
    lists.set(key, list);
  }
  const merged = [...lists.values()].map(({ arg, values }): Expr => {
    const [first] = values;
    return values.length === 1 && first !== undefined ? call("equal", arg, first) : { kind: "in", arg, values };
  });
  return [...rest, ...merged];
}

/** The column as it is compared: an enumeration or JSON as its text. */
function comparable(column: string, scope: Scope, place: Place): Typed {
  const typed = scope.resolve(column, place.at("column"));
  return typed.type.kind === "text" ? castTo(typed, VARCHAR) : typed;
}

function value(
  scalar: Scalar,
  type: ColumnType,
  place: Place,
): { readonly expr: LiteralExpr; readonly type: ColumnType } {
  if (scalar === null)
    throw place.error("INVALID_FILTER", "nothing compares with null; use is_null, or null in a list of values");
  const reading = readLiteral(scalar, type);
  if ("problem" in reading) throw place.error("INVALID_FILTER", reading.problem, { type: type.type });
  return reading;
}

function planComparison({ column, op, value: scalar }: Kind<"compare">, scope: Scope, place: Place): Expr {
  const { expr, type } = comparable(column, scope, place);
  return call(op, expr, value(scalar, type, place.at("value")).expr);
}

function planMembership({ column, values }: Kind<"in">, scope: Scope, place: Place): Expr {
  const { expr, type } = comparable(column, scope, place);
  const readings = values.flatMap((scalar, index) =>
    scalar === null ? [] : [value(scalar, type, place.item("values", index))],
  );
  // One type for all: a value that fits only into a wider one takes the others along. Their text means the same in it.
  const listType = readings.reduce<ColumnType>((sum, each) => commonType(sum, each.type) ?? sum, NULL);
  const listed = readings.map((reading): LiteralExpr => ({ ...reading.expr, type: listType.type }));
  const isOne: Expr = { kind: "in", arg: expr, values: listed };
  if (!values.includes(null)) return isOne;
  const isNull = call("isNull", expr);
  return listed.length === 0 ? isNull : call("or", isNull, isOne);
}

function planRange(filter: Kind<"range">, scope: Scope, place: Place): Expr {
  const { expr, type } = comparable(filter.column, scope, place);
  const conditions: Expr[] = [];
  if (filter.from !== undefined) {
    const from = value(filter.from, type, place.at("from"));
    conditions.push(call(filter.fromExclusive ? "greater" : "greaterOrEqual", expr, from.expr));
  }
  if (filter.to !== undefined) {
    const to = value(filter.to, type, place.at("to"));
    conditions.push(call(filter.toExclusive ? "less" : "lessOrEqual", expr, to.expr));
  }
  const [only] = conditions;
  // Without bounds every value lies in it; NULL is no value.
  if (only === undefined) return call("not", call("isNull", expr));
  return conditions.length === 1 ? only : call("and", ...conditions);
}

function planText({ column, op, text, ignoreCase }: Kind<"text">, scope: Scope, place: Place): Expr {
  const { expr, type } = comparable(column, scope, place);
  if (type.kind !== "text")
    throw place.at("column").error("INVALID_FILTER", `${JSON.stringify(column)} is ${type.type}, not text`, {
      column,
      type: type.type,
    });
  return { kind: "textMatch", op, arg: expr, text, ignoreCase };
}
