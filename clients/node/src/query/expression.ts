import { create } from "@bufbuild/protobuf";
import { ExpressionSchema, type Expression as WireExpression } from "../gen/drover/v1/query_pb.js";
import { type Scalar, toWire } from "../values.ts";
import { type FunctionName, functions, lookUp } from "./names.ts";

/** Where an expression is wanted, a constant will do. */
export type Operand = Expression | Scalar;

/** A typed expression over columns; immutable. Begin with `column()`, `literal()`, `call()` or `when()`. */
export class Expression {
  /** As the contract carries it. */
  readonly wire: WireExpression;

  constructor(kind: WireExpression["kind"]) {
    this.wire = create(ExpressionSchema, { kind });
  }

  plus(other: Operand): Expression {
    return call("add", this, other);
  }

  minus(other: Operand): Expression {
    return call("subtract", this, other);
  }

  times(other: Operand): Expression {
    return call("multiply", this, other);
  }

  /** As DOUBLE; NULL where the divisor is 0. */
  dividedBy(other: Operand): Expression {
    return call("divide", this, other);
  }

  equals(other: Operand): Expression {
    return call("equal", this, other);
  }

  notEquals(other: Operand): Expression {
    return call("notEqual", this, other);
  }

  lessThan(other: Operand): Expression {
    return call("less", this, other);
  }

  atMost(other: Operand): Expression {
    return call("lessOrEqual", this, other);
  }

  greaterThan(other: Operand): Expression {
    return call("greater", this, other);
  }

  atLeast(other: Operand): Expression {
    return call("greaterOrEqual", this, other);
  }

  and(other: Operand): Expression {
    return call("and", this, other);
  }

  or(other: Operand): Expression {
    return call("or", this, other);
  }

  isNull(): Expression {
    return call("isNull", this);
  }

  /** Rounded to so many decimals, halves away from zero. */
  round(decimals = 0): Expression {
    return call("round", this, decimals);
  }
}

/** A column; in calculated measures a dimension, measure or earlier calculated measure. */
export function column(name: string): Expression {
  return new Expression({ case: "column", value: name });
}

/** A constant; `type` reads it as, for example, `DECIMAL(10,2)` or `DATE` (give such values as text). */
export function literal(value: Scalar, type = ""): Expression {
  return new Expression({
    case: "literal",
    value: { $typeName: "drover.v1.Literal", value: toWire(value), type: type || defaultType(value) },
  });
}

// A bigint and a Date travel as text and would be taken for VARCHAR.
function defaultType(value: Scalar): string {
  if (typeof value === "bigint") return BigInt.asIntN(64, value) === value ? "BIGINT" : "HUGEINT";
  if (value instanceof Date) return "TIMESTAMP WITH TIME ZONE";
  return "";
}

/** Any function of the contract: `call("coalesce", column("a"), 0)`. */
export function call(name: FunctionName, ...operands: readonly Operand[]): Expression {
  return new Expression({
    case: "call",
    value: {
      $typeName: "drover.v1.FunctionCall",
      function: lookUp(functions, name, "function"),
      arguments: operands.map((operand) => expressionOf(operand).wire),
    },
  });
}

/** Takes a constant as an expression. */
export function expressionOf(operand: Operand): Expression {
  return operand instanceof Expression ? operand : literal(operand);
}

/** The branches of a case so far. */
export class CaseBuilder {
  readonly #branches: readonly { readonly condition: Expression; readonly value: Expression }[];

  constructor(branches: readonly { readonly condition: Expression; readonly value: Expression }[]) {
    this.#branches = branches;
  }

  /** Another branch, tried when those before were not true. */
  when(condition: Expression, value: Operand): CaseBuilder {
    return new CaseBuilder([...this.#branches, { condition, value: expressionOf(value) }]);
  }

  /** The value when no condition is true. */
  otherwise(value: Operand): Expression {
    return this.#build(expressionOf(value));
  }

  /** Without another value: NULL when no condition is true. */
  end(): Expression {
    return this.#build(undefined);
  }

  #build(otherwise: Expression | undefined): Expression {
    return new Expression({
      case: "case",
      value: {
        $typeName: "drover.v1.CaseExpression",
        branches: this.#branches.map(({ condition, value }) => ({
          $typeName: "drover.v1.CaseBranch",
          condition: condition.wire,
          value: value.wire,
        })),
        ...(otherwise && { otherwise: otherwise.wire }),
      },
    });
  }
}

/** A case: `when(column("delay").greaterThan(15), "late").otherwise("on time")`. */
export function when(condition: Expression, value: Operand): CaseBuilder {
  return new CaseBuilder([{ condition, value: expressionOf(value) }]);
}
