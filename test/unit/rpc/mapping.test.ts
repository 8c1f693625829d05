import {
  create,
  type DescMessage,
  fromBinary,
  fromJson,
  hasOption,
  type JsonValue,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DriverError } from "../../../src/errors/driver-error.ts";
import { field as fieldRules } from "../../../src/gen/buf/validate/validate_pb.js";
import { ExpressionSchema, FilterSchema, Function as Fn } from "../../../src/gen/drover/v1/query_pb.js";
import {
  QuestionSchema,
  RunQueryResponseSchema,
  WatchQueryResponseSchema,
} from "../../../src/gen/drover/v1/query_service_pb.js";
import { RowSchema } from "../../../src/gen/drover/v1/types_pb.js";
import { runQuerySerializer, watchQuerySerializer } from "../../../src/rpc/grpc/frame-serializer.ts";
import { functions } from "../../../src/rpc/mapping/enums.ts";
import { toFilter } from "../../../src/rpc/mapping/filters.ts";
import { pageOf } from "../../../src/rpc/mapping/pages.ts";
import { fromQueryEvent } from "../../../src/rpc/mapping/query-events.ts";
import { toQuestion } from "../../../src/rpc/mapping/questions.ts";
import { fromRow, toStruct } from "../../../src/rpc/mapping/values.ts";

describe("a question", () => {
  test("of every kind of part is taken over field for field", () => {
    const json = {
      aggregate: {
        dataset: "flights",
        version: "3",
        calculatedColumns: [
          {
            name: "late",
            expression: {
              case: {
                branches: [
                  {
                    condition: {
                      call: {
                        function: "FUNCTION_GREATER",
                        arguments: [{ column: "delay" }, { literal: { value: 15 } }],
                      },
                    },
                    value: { literal: { value: "1.50", type: "DECIMAL(10,2)" } },
                  },
                ],
                otherwise: { literal: { value: null } },
              },
            },
          },
        ],
        dimensions: [
          {
            column: "time",
            alias: "week",
            grain: { unit: "TIME_UNIT_WEEK", zone: "Europe/Berlin", weekStart: "WEEKDAY_SUNDAY" },
          },
          { column: "time", part: { part: "TIME_PART_KIND_HOUR_OF_DAY" } },
          { column: "distance", bin: { width: 100, origin: 5 } },
          { column: "origin" },
        ],
        measures: [
          { op: "MEASURE_OP_COUNT" },
          { op: "MEASURE_OP_QUANTILE", column: "delay", alias: "p0", quantile: 0 },
          { op: "MEASURE_OP_SUM", column: "", filter: { isNull: "late" } },
        ],
        calculatedMeasures: [{ name: "twice", expression: { column: "count" } }],
        filter: {
          all: {
            filters: [
              { any: { filters: [] } },
              { not: { compare: { column: "a", op: "COMPARISON_OP_LESS", value: "2" } } },
              { in: { column: "b", values: [1, null, true] } },
              { range: { column: "c", from: 1, toExclusive: true } },
              { text: { column: "d", op: "TEXT_OP_GLOB", text: "a*", ignoreCase: true } },
            ],
          },
        },
        having: { compare: { column: "count", op: "COMPARISON_OP_GREATER_OR_EQUAL", value: 5 } },
        order: [{ by: "count", descending: true, nullsFirst: true }],
        limit: "10",
        offset: "20",
        totals: "TOTALS_SUBTOTALS",
        top: { count: 3, measure: "count", others: true },
      },
    };
    expect(toQuestion(fromJson(QuestionSchema, json))).toEqual({
      kind: "aggregate",
      query: {
        dataset: "flights",
        version: 3,
        calculatedColumns: [
          {
            name: "late",
            expression: {
              kind: "case",
              branches: [
                {
                  when: {
                    kind: "call",
                    fn: "greater",
                    args: [
                      { kind: "column", name: "delay" },
                      { kind: "literal", value: 15 },
                    ],
                  },
                  value: { kind: "literal", value: "1.50", type: "DECIMAL(10,2)" },
                },
              ],
              otherwise: { kind: "literal", value: null },
            },
          },
        ],
        dimensions: [
          {
            column: "time",
            alias: "week",
            bucket: { kind: "grain", unit: "week", zone: "Europe/Berlin", weekStart: 7 },
          },
          { column: "time", bucket: { kind: "part", part: "hourOfDay", weekStart: 1 } },
          { column: "distance", bucket: { kind: "bin", width: 100, origin: 5 } },
          { column: "origin" },
        ],
        measures: [
          { op: "count" },
          { op: "quantile", column: "delay", alias: "p0", quantile: 0 },
          { op: "sum", column: "", filter: { kind: "isNull", column: "late" } },
        ],
        calculatedMeasures: [{ name: "twice", expression: { kind: "column", name: "count" } }],
        filter: {
          kind: "all",
          filters: [
            { kind: "any", filters: [] },
            { kind: "not", filter: { kind: "compare", column: "a", op: "less", value: "2" } },
            { kind: "in", column: "b", values: [1, null, true] },
            { kind: "range", column: "c", from: 1, fromExclusive: false, toExclusive: true },
            { kind: "text", column: "d", op: "glob", text: "a*", ignoreCase: true },
          ],
        },
        having: { kind: "compare", column: "count", op: "greaterOrEqual", value: 5 },
        order: [{ by: "count", descending: true, nullsFirst: true }],
        limit: 10,
        offset: 20,
        totals: "subtotals",
        top: { count: 3, measure: "count", ascending: false, others: true },
      },
    });
  });

  test("in SQL keeps its parameters", () => {
    const question = fromJson(QuestionSchema, { sql: { sql: "SELECT $1", parameters: [null, 1.5, "x", false] } });
    expect(toQuestion(question)).toEqual({ kind: "sql", sql: "SELECT $1", parameters: [null, 1.5, "x", false] });
  });

  test.each([
    [{}, "question"],
    [{ sql: { sql: "x", parameters: [[1]] } }, "question.sql.parameters[0]"],
    [{ aggregate: { filter: { not: {} } } }, "question.aggregate.filter.not"],
    [{ aggregate: { filter: { all: { filters: [{}] } } } }, "question.aggregate.filter.all.filters[0]"],
    [
      { aggregate: { filter: { any: { filters: [{ compare: { column: "a", value: 1 } }] } } } },
      "question.aggregate.filter.any.filters[0].compare.op",
    ],
    [
      { aggregate: { having: { in: { column: "a", values: [1, { b: 2 }] } } } },
      "question.aggregate.having.in.values[1]",
    ],
    [
      { aggregate: { calculatedMeasures: [{ name: "a", expression: { call: { function: 99 } } }] } },
      "question.aggregate.calculated_measures[0].expression.call.function",
    ],
  ])("%j is refused with the field at fault", (json, field) => {
    const question = fromJson(QuestionSchema, json as JsonValue);
    try {
      toQuestion(question);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(DriverError);
      expect((error as DriverError).violations.map((violation) => violation.field)).toEqual([field]);
    }
  });

  const many = (count: number) => Array.from({ length: count }, () => ({ isNull: "a" }));
  const constants = (count: number) => Array.from({ length: count }, () => ({ literal: { value: 1 } }));
  const inList = { in: { column: "a", values: Array.from({ length: 100_001 }, (_, index) => index) } };
  const within = (json: JsonValue) => ({ aggregate: { filter: { all: { filters: [{ not: json }] } } } });
  const argument = (json: JsonValue) => ({
    aggregate: {
      calculatedColumns: [
        { name: "a", expression: { call: { function: "FUNCTION_ADD", arguments: [json, ...constants(1)] } } },
      ],
    },
  });
  const filters = "question.aggregate.filter.all.filters[0].not";
  const first = "question.aggregate.calculated_columns[0].expression.call.arguments[0]";
  test.each([
    ["values of `in`", within(inList), `${filters}.in.values`],
    ["conditions", within({ any: { filters: many(10_001) } }), `${filters}.any.filters`],
    [
      "arguments",
      argument({ call: { function: "FUNCTION_ADD", arguments: constants(101) } }),
      `${first}.call.arguments`,
    ],
    ["no branches", argument({ case: {} }), `${first}.case.branches`],
    ["branches", argument({ case: { branches: Array.from({ length: 1001 }, () => ({})) } }), `${first}.case.branches`],
  ])("with too many or too few (%s) is refused however deep they stand", (_case, json, field) => {
    const question = fromJson(QuestionSchema, json);
    expect(() => toQuestion(question)).toThrow(
      expect.objectContaining({ reason: "INVALID_REQUEST", metadata: { field } }),
    );
  });

  test("has no rules behind its recursion but those that the mapping checks as well", () => {
    const seen = new Set<DescMessage>();
    const ruled: string[] = [];
    const visit = (message: DescMessage) => {
      if (seen.has(message)) return;
      seen.add(message);
      for (const each of message.fields) {
        if (hasOption(each, fieldRules)) ruled.push(`${message.name}.${each.name}`);
        if (each.message?.typeName.startsWith("drover.")) visit(each.message);
      }
    };
    visit(FilterSchema);
    visit(ExpressionSchema);
    // A new one needs a check in src/rpc/mapping. The length of `Literal.type` is left to the planner, which knows the types.
    expect(ruled.sort()).toEqual([
      ...["CaseBranch.condition", "CaseBranch.value", "CaseExpression.branches", "Comparison.op", "Comparison.value"],
      ...["FilterList.filters", "FunctionCall.arguments", "FunctionCall.function", "Literal.type", "Literal.value"],
      ...["Membership.values", "TextMatch.op"],
    ]);
  });

  test("with a limit beyond 2^53 has no limit that any result could reach", () => {
    const most = "9223372036854775807";
    const question = fromJson(QuestionSchema, { aggregate: { version: most, limit: most, offset: most } });
    const count = Number.MAX_SAFE_INTEGER;
    expect(toQuestion(question)).toMatchObject({ query: { version: count, limit: count, offset: count } });
  });

  test("has a word for every function of the contract", () => {
    const numbers = Object.values(Fn).filter((value): value is Fn => typeof value === "number" && value !== 0);
    expect(Object.keys(functions).map(Number)).toEqual(numbers);
  });
});

describe("a condition", () => {
  test("has what JSON has no number for as text, so that it is the same once it was written down", () => {
    const numbers = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1.5];
    const values = numbers.map((value) => ({ kind: { case: "numberValue" as const, value } }));
    const said = create(FilterSchema, { kind: { case: "in", value: { column: "x", values } } });
    const filter = toFilter(said, "filter");
    expect(filter).toEqual({ kind: "in", column: "x", values: ["NaN", "Infinity", "-Infinity", 1.5] });
    expect(JSON.parse(JSON.stringify(filter))).toEqual(filter);
  });
});

describe("results", () => {
  test("a row of JSON values comes out of the contract's JSON unchanged", () => {
    const value = fc.jsonValue().filter((json) => !JSON.stringify(json).includes("__proto__"));
    fc.assert(
      fc.property(fc.array(value), (values) => {
        const row = fromBinary(RowSchema, toBinary(RowSchema, fromRow(values as never)));
        const written = JSON.stringify(toJson(RowSchema, row));
        expect(JSON.parse(written)).toEqual(JSON.parse(JSON.stringify({ values }, dropEmpty)));
      }),
    );
  });

  test("the hand-made bytes of an Arrow batch are those of the runtime", () => {
    const [serialize, serializeWatched] = [runQuerySerializer(), watchQuerySerializer()];
    const id = fc.option(fc.integer({ min: 1, max: 2 ** 40 }), { nil: undefined });
    fc.assert(
      fc.property(
        id,
        fc.maxSafeNat(),
        fc.maxSafeNat(),
        fc.uint8Array({ maxLength: 70_000 }),
        (eventId, frameId, seq, arrow) => {
          const event = fromQueryEvent({ type: "frameBatch", frameId, seq, arrow, ...(eventId && { eventId }) });
          expect(event.eventId).toBe(BigInt(eventId ?? 0));
          const schema = RunQueryResponseSchema;
          const expected = fromBinary(schema, toBinary(schema, event));
          expect(fromBinary(schema, new Uint8Array(serialize(event)))).toEqual(expected);
          const watched = create(WatchQueryResponseSchema, { event });
          const read = fromBinary(WatchQueryResponseSchema, new Uint8Array(serializeWatched(watched)));
          expect(read.event).toEqual(expected);
        },
      ),
      { numRuns: 50 },
    );
  });

  test("times are durations to the nanosecond", () => {
    const timings = { queuedMs: 0, plannedMs: 1.5, executedMs: 61_000.000001, encodedMs: -1 };
    const completion = { rows: 1, rowsScanned: 2.5, bytesScanned: 3, versions: { a: 1 }, timings };
    expect(toJson(RunQueryResponseSchema, fromQueryEvent({ type: "completed", completion }))).toEqual({
      completed: {
        rows: "1",
        rowsScanned: "2",
        bytesScanned: "3",
        versions: { a: "1" },
        timings: { queued: "0s", planned: "0.001500s", executed: "61.000000001s", encoded: "0s" },
      },
    });
  });

  test("an object with what JSON can't say becomes one with text", () => {
    expect(toStruct({ big: 12n, nan: Number.NaN, no: undefined, at: new Date(0) })).toEqual({
      big: "12",
      nan: "NaN",
      at: "1970-01-01T00:00:00.000Z",
    });
  });
});

function dropEmpty(key: string, value: unknown): unknown {
  return key === "values" && Array.isArray(value) && value.length === 0 ? undefined : value;
}

describe("pages", () => {
  const all = ["a", "b", "c", "d", "e"];
  const page = (items: readonly string[], token: string, request: unknown = "x") =>
    pageOf(items, (item) => item, { size: 2, token, request });

  test("follow each other until the empty token", () => {
    const first = page(all, "");
    const second = page(all, first.nextPageToken);
    const third = page(all, second.nextPageToken);
    expect([first.items, second.items, third.items]).toEqual([["a", "b"], ["c", "d"], ["e"]]);
    expect(third.nextPageToken).toBe("");
  });

  test("neither repeat nor lose items when others come and go", () => {
    const { nextPageToken } = page(all, "");
    expect(page(["aa", "c", "cc", "d"], nextPageToken).items).toEqual(["c", "cc"]);
  });

  test("have tokens that hold for their request only", () => {
    const { nextPageToken } = page(all, "");
    expect(() => page(all, nextPageToken, "y")).toThrow(DriverError);
    expect(() => page(all, "nonsense")).toThrow(DriverError);
  });
});
