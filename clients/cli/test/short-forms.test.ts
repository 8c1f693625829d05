import { toJson } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { DimensionSchema, MeasureSchema } from "../../node/src/gen/drover/v1/query_pb.js";
import { parseAssignment, parseLabels, parseSourceOptions } from "../src/grammar/assignment.ts";
import { parseDimension } from "../src/grammar/dimension.ts";
import { parseCount, parseDuration, parseGrace, parseLifetime } from "../src/grammar/duration.ts";
import { parseMeasure } from "../src/grammar/measure.ts";
import { parseOrder } from "../src/grammar/order.ts";

const dimension = (text: string) => toJson(DimensionSchema, parseDimension(text).wire);
const measure = (text: string) => toJson(MeasureSchema, parseMeasure(text).measure.wire);

describe("dimensions", () => {
  test.each([
    ["origin", { column: "origin" }],
    ["departure delay", { column: "departure delay" }],
    ["🚀", { column: "🚀" }],
    ['"a:b=c"', { column: "a:b=c" }],
    ["from=origin", { alias: "from", column: "origin" }],
    ['"the origin"=origin', { alias: "the origin", column: "origin" }],
    ["date:day", { column: "date", grain: { unit: "TIME_UNIT_DAY" } }],
    ["date:DAY", { column: "date", grain: { unit: "TIME_UNIT_DAY" } }],
    ["d=date:month", { alias: "d", column: "date", grain: { unit: "TIME_UNIT_MONTH" } }],
    ["date:day@Europe/Berlin", { column: "date", grain: { unit: "TIME_UNIT_DAY", zone: "Europe/Berlin" } }],
    ["date:week(sunday)", { column: "date", grain: { unit: "TIME_UNIT_WEEK", weekStart: "WEEKDAY_SUNDAY" } }],
    [
      "date:week(Saturday)@America/New_York",
      { column: "date", grain: { unit: "TIME_UNIT_WEEK", weekStart: "WEEKDAY_SATURDAY", zone: "America/New_York" } },
    ],
    ["date:hour_of_day", { column: "date", part: { part: "TIME_PART_KIND_HOUR_OF_DAY" } }],
    ["date:hour_of_day@UTC", { column: "date", part: { part: "TIME_PART_KIND_HOUR_OF_DAY", zone: "UTC" } }],
    [
      "date:day_of_week(sunday)",
      { column: "date", part: { part: "TIME_PART_KIND_DAY_OF_WEEK", weekStart: "WEEKDAY_SUNDAY" } },
    ],
    ["delay:bin(10)", { column: "delay", bin: { width: 10 } }],
    ["delay:bin(0.5, -2)", { column: "delay", bin: { width: 0.5, origin: -2 } }],
    ['late="departure delay":bin(10)', { alias: "late", column: "departure delay", bin: { width: 10 } }],
  ])("%s", (text, expected) => {
    expect(dimension(text)).toEqual(expected);
  });

  test.each([
    ["", /the column is missing/],
    ["=origin", /the column is missing/],
    ["date:dya", /unknown grain "dya"; did you mean "day"/],
    ["date:", /unknown grain ""/],
    ["date:day(3)", /day takes nothing in brackets/],
    ["date:week(someday)", /unknown weekday/],
    ["delay:bin", /is no number/],
    ["delay:bin(0)", /greater than 0/],
    ["delay:bin(x)", /"x" is no number/],
    ["delay:bin(1,2,3)", /takes a width and perhaps an origin/],
    ["delay:bin(1)@UTC", /takes no zone/],
    ['"date:day', /do not end/],
    ['"date"day', /unexpected "day"/],
  ])("refuses %s", (text, message) => {
    expect(() => parseDimension(text)).toThrow(message);
  });
});

describe("measures", () => {
  test.each([
    ["count", { op: "MEASURE_OP_COUNT" }],
    ["count:delay", { op: "MEASURE_OP_COUNT", column: "delay" }],
    ["avg:delay", { op: "MEASURE_OP_AVG", column: "delay" }],
    ["mean_delay=avg:delay", { op: "MEASURE_OP_AVG", column: "delay", alias: "mean_delay" }],
    ["count_distinct:origin", { op: "MEASURE_OP_COUNT_DISTINCT", column: "origin" }],
    ["sum:departure delay", { op: "MEASURE_OP_SUM", column: "departure delay" }],
    ['sum:"a where b"', { op: "MEASURE_OP_SUM", column: "a where b" }],
    ["sum:a:b", { op: "MEASURE_OP_SUM", column: "a:b" }],
    ["p90=quantile(0.9):delay", { op: "MEASURE_OP_QUANTILE", column: "delay", alias: "p90", quantile: 0.9 }],
    ["QUANTILE(1):🚀", { op: "MEASURE_OP_QUANTILE", column: "🚀", quantile: 1 }],
    [
      "late=count where delay > 15",
      {
        op: "MEASURE_OP_COUNT",
        alias: "late",
        filter: { compare: { column: "delay", op: "COMPARISON_OP_GREATER", value: "15" } },
      },
    ],
    [
      "avg:delay where origin in (ATL, JFK)",
      { op: "MEASURE_OP_AVG", column: "delay", filter: { in: { column: "origin", values: ["ATL", "JFK"] } } },
    ],
  ])("%s", (text, expected) => {
    expect(measure(text)).toEqual(expected);
  });

  test("are named as the driver names them", () => {
    expect(parseMeasure("count").name).toBe("count");
    expect(parseMeasure("count_distinct:origin").name).toBe("count_distinct_origin");
    expect(parseMeasure("x=avg:delay").name).toBe("x");
  });

  test.each([
    ["avg", /avg needs a column/],
    ["average:delay", /unknown measure "average"/],
    ["cuont", /did you mean "count"/],
    ["quantile:delay", /in brackets/],
    ["quantile(2):delay", /between 0 and 1/],
    ["quantile():delay", /the quantile is missing/],
    ["quantile(0.5:delay", /the bracket does not end/],
    ["avg(1):delay", /takes nothing in brackets/],
    ["count wher delay > 1", /unexpected " wher/],
    ["", /the measure is missing/],
  ])("refuses %s", (text, message) => {
    expect(() => parseMeasure(text)).toThrow(message);
  });
});

describe("orders", () => {
  test.each([
    ["count", { by: "count", descending: false, nullsFirst: false }],
    ["count:desc", { by: "count", descending: true, nullsFirst: false }],
    ["count:asc:nulls_first", { by: "count", descending: false, nullsFirst: true }],
    ['"a:b":desc:nulls_last', { by: "a:b", descending: true, nullsFirst: false }],
  ])("%s", (text, expected) => {
    expect(parseOrder(text)).toEqual(expected);
  });

  test("refuse an unknown direction", () => {
    expect(() => parseOrder("count:dsc")).toThrow(/did you mean "desc"/);
  });
});

describe("assignments", () => {
  test("keep whatever stands behind the first equals sign", () => {
    expect(parseAssignment("delimiter==")).toEqual(["delimiter", "="]);
    expect(parseAssignment("nullStrings=")).toEqual(["nullStrings", ""]);
    expect(() => parseAssignment("delimiter")).toThrow(/KEY=VALUE/);
    expect(() => parseAssignment("=x")).toThrow(/KEY=VALUE/);
  });

  test("of sources may be JSON, or entries of a map", () => {
    const options = parseSourceOptions(["delimiter=;", 'columns=["a","b"]', "types.zip=VARCHAR", "types.n=BIGINT"]);
    expect(options).toEqual({ delimiter: ";", columns: ["a", "b"], types: { zip: "VARCHAR", n: "BIGINT" } });
    expect(() => parseSourceOptions(["columns=[a"])).toThrow(/columns=\[a/);
  });

  test("of labels are texts", () => {
    expect(parseLabels(["team=bi", "n=1"])).toEqual({ team: "bi", n: "1" });
  });
});

describe("times and counts", () => {
  test("have units", () => {
    expect(["500ms", "30s", "5m", "1h", "2", "0.5s"].map(parseDuration)).toEqual([
      500, 30_000, 300_000, 3_600_000, 2000, 500,
    ]);
    for (const bad of ["", "x", "5 days", "-1s", "0"]) expect(() => parseDuration(bad)).toThrow(/is no time/);
  });

  test("of tokens are in hours and days, and say so", () => {
    expect(["12h", "30d", "0.5d"].map(parseLifetime)).toEqual([43_200_000, 2_592_000_000, 43_200_000]);
    for (const bad of ["soon", "30", "0d", "never"])
      expect(() => parseLifetime(bad)).toThrow(`"${bad}" is no time: write for example 12h, 30d or 365d`);
    expect(["0", "0s", "30m"].map(parseGrace)).toEqual([0, 0, 1_800_000]);
    expect(() => parseGrace("5")).toThrow("is no time");
  });

  test("are whole numbers", () => {
    expect(parseCount("10")).toBe(10);
    for (const bad of ["-1", "1.5", "", "x"]) expect(() => parseCount(bad)).toThrow(/whole number/);
    expect(() => parseCount("0", 1)).toThrow(/at least 1/);
  });
});
