import { toJson } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { QuestionSchema } from "../src/gen/drover/v1/query_service_pb.js";
import {
  all,
  any,
  avg,
  call,
  column,
  count,
  DroverError,
  dim,
  not,
  type QuerySpec,
  quantile,
  sum,
  when,
  where,
} from "../src/index.ts";
import { aggregateQuestion, sqlQuestion } from "../src/query/spec.ts";

const question = (spec: QuerySpec) => {
  const json = toJson(QuestionSchema, aggregateQuestion("flights", spec)) as { aggregate: object };
  return json.aggregate;
};

describe("a question", () => {
  test("carries every part of a query", () => {
    expect(
      question({
        version: 4,
        dimensions: [
          "origin",
          dim("date").week({ zone: "Europe/Berlin", weekStart: "sunday" }).as("week"),
          dim("delay").bin(10),
        ],
        measures: [
          count(),
          avg("delay").as("mean"),
          quantile("delay", 0.9),
          sum("distance").where(where("delay").greaterThan(15)),
        ],
        calculatedColumns: { hours: column("minutes").dividedBy(60) },
        calculatedMeasures: [{ name: "double", expression: column("count").times(2) }],
        where: where("origin")
          .equals("ATL")
          .and(not(where("destination").isNull())),
        having: where("count").atLeast(10n),
        order: ["origin", { by: "count", descending: true, nullsFirst: true }],
        limit: 10,
        offset: 5,
        totals: "subtotals",
        top: { count: 3, by: "count", dimension: "origin", others: true },
      }),
    ).toEqual({
      dataset: "flights",
      version: "4",
      dimensions: [
        { column: "origin" },
        {
          column: "date",
          alias: "week",
          grain: { unit: "TIME_UNIT_WEEK", zone: "Europe/Berlin", weekStart: "WEEKDAY_SUNDAY" },
        },
        { column: "delay", bin: { width: 10 } },
      ],
      measures: [
        { op: "MEASURE_OP_COUNT" },
        { op: "MEASURE_OP_AVG", column: "delay", alias: "mean" },
        { op: "MEASURE_OP_QUANTILE", column: "delay", quantile: 0.9 },
        {
          op: "MEASURE_OP_SUM",
          column: "distance",
          filter: { compare: { column: "delay", op: "COMPARISON_OP_GREATER", value: 15 } },
        },
      ],
      calculatedColumns: [
        {
          name: "hours",
          expression: {
            call: { function: "FUNCTION_DIVIDE", arguments: [{ column: "minutes" }, { literal: { value: 60 } }] },
          },
        },
      ],
      calculatedMeasures: [
        {
          name: "double",
          expression: {
            call: { function: "FUNCTION_MULTIPLY", arguments: [{ column: "count" }, { literal: { value: 2 } }] },
          },
        },
      ],
      filter: {
        all: {
          filters: [
            { compare: { column: "origin", op: "COMPARISON_OP_EQUAL", value: "ATL" } },
            { not: { isNull: "destination" } },
          ],
        },
      },
      having: { compare: { column: "count", op: "COMPARISON_OP_GREATER_OR_EQUAL", value: "10" } },
      order: [{ by: "origin" }, { by: "count", descending: true, nullsFirst: true }],
      limit: "10",
      offset: "5",
      totals: "TOTALS_SUBTOTALS",
      top: { count: 3, measure: "count", dimension: "origin", others: true },
    });
  });

  test("of nothing but a dataset stays empty", () => {
    expect(question({})).toEqual({ dataset: "flights" });
  });

  test("in SQL carries its parameters", () => {
    const parameters = [1n, "x", null, true];
    expect(toJson(QuestionSchema, sqlQuestion({ sql: "SELECT $1", parameters }))).toEqual({
      sql: { sql: "SELECT $1", parameters: ["1", "x", null, true] },
    });
  });
});

describe("builders", () => {
  test("leave what they were made of as it was", () => {
    const base = dim("date");
    base.day().as("day");
    expect(question({ dimensions: [base] })).toMatchObject({ dimensions: [{ column: "date" }] });
    const measure = count();
    measure.as("n").where(where("a").isNull());
    expect(question({ measures: [measure] })).toMatchObject({ measures: [{ op: "MEASURE_OP_COUNT" }] });
  });

  test("nest conditions and cases", () => {
    const filter = any(all(), where("a").between(1, undefined, { fromExclusive: true }), where("b").notIn(["x", null]));
    expect(question({ where: filter })).toMatchObject({
      filter: {
        any: {
          filters: [
            { all: {} },
            { range: { column: "a", from: 1, fromExclusive: true } },
            { not: { in: { column: "b", values: ["x", null] } } },
          ],
        },
      },
    });
    const late = when(column("delay").greaterThan(15), "late").when(column("delay").isNull(), "?").otherwise("on time");
    expect(late.wire.kind.case).toBe("case");
  });

  test("refuse names that callers without types may give", () => {
    const bad = (work: () => unknown) => {
      expect(work).toThrow(DroverError);
      expect(work).toThrow(/unknown/);
    };
    bad(() => dim("date").grain("fortnight" as never));
    bad(() => dim("date").week({ weekStart: "someday" as never }));
    bad(() => call("eval" as never));
    bad(() => question({ totals: "all" as never }));
  });
});
