import {
  CaseExpressionSchema,
  FunctionCallSchema,
  type CalculatedColumn as ProtoCalculatedColumn,
  type Expression as ProtoExpression,
} from "../../gen/drover/v1/query_pb.js";
import type { CalculatedColumn, Expression } from "../../queries/model.ts";
import { functions, wordOf } from "./enums.ts";
import { invalidField } from "./invalid-field.ts";
import { itemsRule } from "./list-rules.ts";
import { toScalar } from "./values.ts";

const checkArguments = itemsRule(FunctionCallSchema.field.arguments);
const checkBranches = itemsRule(CaseExpressionSchema.field.branches);

export function toCalculatedColumns(
  columns: readonly ProtoCalculatedColumn[],
  place: string,
): readonly CalculatedColumn[] {
  return columns.map(({ name, expression }, index) => ({
    name,
    expression: toExpression(expression, `${place}[${index}].expression`),
  }));
}

function toExpression(expression: ProtoExpression | undefined, place: string): Expression {
  const kind = expression?.kind;
  switch (kind?.case) {
    case "column":
      return { kind: "column", name: kind.value };
    case "literal": {
      const { value, type } = kind.value;
      return { kind: "literal", value: toScalar(value, `${place}.literal.value`), ...(type && { type }) };
    }
    case "call":
      checkArguments(kind.value.arguments, `${place}.call.arguments`);
      return {
        kind: "call",
        fn: wordOf(functions, kind.value.function, `${place}.call.function`),
        args: kind.value.arguments.map((each, index) => toExpression(each, `${place}.call.arguments[${index}]`)),
      };
    case "case": {
      const { branches, otherwise } = kind.value;
      checkBranches(branches, `${place}.case.branches`);
      return {
        kind: "case",
        branches: branches.map(({ condition, value }, index) => ({
          when: toExpression(condition, `${place}.case.branches[${index}].condition`),
          value: toExpression(value, `${place}.case.branches[${index}].value`),
        })),
        ...(otherwise && { otherwise: toExpression(otherwise, `${place}.case.otherwise`) }),
      };
    }
    default:
      throw invalidField(place, "exactly one kind of expression must be set");
  }
}
