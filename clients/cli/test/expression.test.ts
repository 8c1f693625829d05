import { toJson } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { ExpressionSchema } from "../../node/src/gen/drover/v1/query_pb.js";
import { parseCalculation, parseExpression } from "../src/grammar/expression.ts";

const parsed = (text: string) => toJson(ExpressionSchema, parseExpression(text).wire);
const column = (name: string) => ({ column: name });
const literal = (value: unknown, type?: string) => ({ literal: { value, ...(type && { type }) } });
const call = (name: string, ...operands: unknown[]) => ({
  call: { function: `FUNCTION_${name}`, arguments: operands },
});

describe("expressions", () => {
  test.each([
    ["delay", column("delay")],
    ['"departure delay"', column("departure delay")],
    ["🚀 + 1", call("ADD", column("🚀"), literal(1))],
    ["a - b - c", call("SUBTRACT", call("SUBTRACT", column("a"), column("b")), column("c"))],
    ["a-b", call("SUBTRACT", column("a"), column("b"))],
    ["a + b * c", call("ADD", column("a"), call("MULTIPLY", column("b"), column("c")))],
    ["(a + b) * c", call("MULTIPLY", call("ADD", column("a"), column("b")), column("c"))],
    ["a / b % 2", call("MODULO", call("DIVIDE", column("a"), column("b")), literal(2))],
    ["-a", call("NEGATE", column("a"))],
    ["-5", literal(-5)],
    ["a - -5", call("SUBTRACT", column("a"), literal(-5))],
    ["'it''s'", literal("it's")],
    ["null", literal(null)],
    ["true and not false", call("AND", literal(true), call("NOT", literal(false)))],
    [
      "a = 1 or b <> 'x'",
      call("OR", call("EQUAL", column("a"), literal(1)), call("NOT_EQUAL", column("b"), literal("x"))),
    ],
    ["a >= 1.5", call("GREATER_OR_EQUAL", column("a"), literal(1.5))],
    ["a is null", call("IS_NULL", column("a"))],
    ["a is not null", call("NOT", call("IS_NULL", column("a")))],
    ["round(avg_delay, 1)", call("ROUND", column("avg_delay"), literal(1))],
    ["starts_with(origin, 'A')", call("STARTS_WITH", column("origin"), literal("A"))],
    ["COALESCE(a, b, 0)", call("COALESCE", column("a"), column("b"), literal(0))],
    ["date '2001-01-01'", literal("2001-01-01", "DATE")],
    [
      "days_between(date, timestamp '2001-01-01 00:00:00')",
      call("DAYS_BETWEEN", column("date"), literal("2001-01-01 00:00:00", "TIMESTAMP")),
    ],
    ["9007199254740993", literal("9007199254740993", "BIGINT")],
    ["-9223372036854775808", literal("-9223372036854775808", "BIGINT")],
    ["9223372036854775808", literal("9223372036854775808", "HUGEINT")],
    ["12345678901234567890.12", literal("12345678901234567890.12", "DECIMAL(22,2)")],
    ["1e3", literal(1000)],
    [
      "case when delay > 15 then 'late' when delay is null then '?' else 'on time' end",
      {
        case: {
          branches: [
            { condition: call("GREATER", column("delay"), literal(15)), value: literal("late") },
            { condition: call("IS_NULL", column("delay")), value: literal("?") },
          ],
          otherwise: literal("on time"),
        },
      },
    ],
    [
      "case when a then 1 end + 1",
      call("ADD", { case: { branches: [{ condition: column("a"), value: literal(1) }] } }, literal(1)),
    ],
  ])("%s", (text, expected) => {
    expect(parsed(text)).toEqual(expected);
  });

  test.each([
    ["", /expected an expression, found the end/],
    ["a +", /expected an expression, found the end/],
    ["a b", /expected the end, found "b"/],
    ["rond(a)", /unknown function "rond"; did you mean "round"/],
    ["round(a", /expected "\)"/],
    ["case when a 1 end", /expected "then"/],
    ["case when a then 1", /expected "end"/],
    ["'a", /does not end/],
    ["a = = b", /expected an expression, found "="/],
  ])("refuses %s", (text, message) => {
    expect(() => parseExpression(text)).toThrow(message);
  });
});

describe("calculations", () => {
  test("have a name", () => {
    const { name, expression } = parseCalculation("speed = distance / 60");
    expect(name).toBe("speed");
    expect(toJson(ExpressionSchema, expression.wire)).toEqual(call("DIVIDE", column("distance"), literal(60)));
    expect(parseCalculation('"a = b"=1').name).toBe("a = b");
  });

  test("without one are refused", () => {
    expect(() => parseCalculation("distance")).toThrow(/NAME=EXPRESSION/);
    expect(() => parseCalculation("=1")).toThrow(/the name is missing/);
  });
});
