import { toJson } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FilterSchema } from "../../node/src/gen/drover/v1/query_pb.js";
import { parseCondition, parseConditions } from "../src/grammar/condition.ts";
import { UsageError } from "../src/usage-error.ts";

function parsed(text: string) {
  return toJson(FilterSchema, parseCondition(text).wire);
}

const compare = (column: string, op: string, value: unknown) => ({
  compare: { column, op: `COMPARISON_OP_${op}`, value },
});
const text = (column: string, op: string, value: string, more: object = {}) => ({
  text: { column, op: `TEXT_OP_${op}`, text: value, ...more },
});

describe("comparisons", () => {
  test.each([
    ["origin = ATL", compare("origin", "EQUAL", "ATL")],
    ["origin=ATL", compare("origin", "EQUAL", "ATL")],
    ["origin == ATL", compare("origin", "EQUAL", "ATL")],
    ["origin != ATL", compare("origin", "NOT_EQUAL", "ATL")],
    ["origin <> ATL", compare("origin", "NOT_EQUAL", "ATL")],
    ["delay < 5", compare("delay", "LESS", "5")],
    ["delay <= -5", compare("delay", "LESS_OR_EQUAL", "-5")],
    ["delay>-5", compare("delay", "GREATER", "-5")],
    ["delay >= 1.5e3", compare("delay", "GREATER_OR_EQUAL", "1.5e3")],
    ["cancelled = true", compare("cancelled", "EQUAL", "true")],
    ["cancelled = FALSE", compare("cancelled", "EQUAL", "FALSE")],
    ["date >= 2001-01-01", compare("date", "GREATER_OR_EQUAL", "2001-01-01")],
    ["date < 2001-01-01T12:30:00Z", compare("date", "LESS", "2001-01-01T12:30:00Z")],
    ["price = NaN", compare("price", "EQUAL", "NaN")],
  ])("%s", (condition, expected) => {
    expect(parsed(condition)).toEqual(expected);
  });
});

describe("names and values", () => {
  test.each([
    ['"departure delay" > 5', compare("departure delay", "GREATER", "5")],
    ["'departure delay' > 5", compare("departure delay", "GREATER", "5")],
    ['"a ""quoted"" name" = x', compare('a "quoted" name', "EQUAL", "x")],
    ["🚀 = 🌍", compare("🚀", "EQUAL", "🌍")],
    ["größe_2 = 3", compare("größe_2", "EQUAL", "3")],
    ["a.b:c = 1", compare("a.b:c", "EQUAL", "1")],
    ["city = New York", compare("city", "EQUAL", "New York")],
    ["city = New   York", compare("city", "EQUAL", "New   York")],
    ["city = 'New York'", compare("city", "EQUAL", "New York")],
    ['city = "New York"', compare("city", "EQUAL", "New York")],
    ["name = 'O''Hare'", compare("name", "EQUAL", "O'Hare")],
    ["name = ''", compare("name", "EQUAL", "")],
    ["zip = '12345'", compare("zip", "EQUAL", "12345")],
    ["zip = 01234", compare("zip", "EQUAL", "01234")],
    ["id = 9007199254740993", compare("id", "EQUAL", "9007199254740993")],
    ["id = 170141183460469231731687303715884105727", compare("id", "EQUAL", "170141183460469231731687303715884105727")],
    ["price = 12345678901234567890.12", compare("price", "EQUAL", "12345678901234567890.12")],
    ["answer = 'true'", compare("answer", "EQUAL", "true")],
    ["answer = 'null'", compare("answer", "EQUAL", "null")],
    ['"not" = 1', compare("not", "EQUAL", "1")],
    ["mail = a@b.example", compare("mail", "EQUAL", "a@b.example")],
    ["path = C:\\temp\\*", compare("path", "EQUAL", "C:\\temp\\*")],
  ])("%s", (condition, expected) => {
    expect(parsed(condition)).toEqual(expected);
  });
});

describe("text", () => {
  test.each([
    ["city ~ York", text("city", "CONTAINS", "York")],
    ["city ~* york", text("city", "CONTAINS", "york", { ignoreCase: true })],
    ["city !~ York", { not: text("city", "CONTAINS", "York") }],
    ["city !~* york", { not: text("city", "CONTAINS", "york", { ignoreCase: true }) }],
    ["city contains 5", text("city", "CONTAINS", "5")],
    ["city starts_with New Y", text("city", "STARTS_WITH", "New Y")],
    ["city istarts_with new", text("city", "STARTS_WITH", "new", { ignoreCase: true })],
    ["city not ends_with York", { not: text("city", "ENDS_WITH", "York") }],
    ["city glob New*?", text("city", "GLOB", "New*?")],
    ["city iglob '*(old)*'", text("city", "GLOB", "*(old)*", { ignoreCase: true })],
  ])("%s", (condition, expected) => {
    expect(parsed(condition)).toEqual(expected);
  });
});

describe("lists, ranges and null", () => {
  test.each([
    ["origin in (ATL, JFK)", { in: { column: "origin", values: ["ATL", "JFK"] } }],
    ["origin in(ATL)", { in: { column: "origin", values: ["ATL"] } }],
    ["origin in ()", { in: { column: "origin" } }],
    ["n in (1, -2.5, 'x', null, New York)", { in: { column: "n", values: ["1", "-2.5", "x", null, "New York"] } }],
    ["origin not in (ATL)", { not: { in: { column: "origin", values: ["ATL"] } } }],
    ["delay is null", { isNull: "delay" }],
    ["delay IS NOT NULL", { not: { isNull: "delay" } }],
    ["delay between -5 and 15", { range: { column: "delay", from: "-5", to: "15" } }],
    ["date between 2001-01-01 and 2001-02-01", { range: { column: "date", from: "2001-01-01", to: "2001-02-01" } }],
    ["delay not between 0 and 1", { not: { range: { column: "delay", from: "0", to: "1" } } }],
  ])("%s", (condition, expected) => {
    expect(parsed(condition)).toEqual(expected);
  });
});

describe("combinations", () => {
  const a = compare("a", "EQUAL", "1");
  const b = compare("b", "EQUAL", "2");
  const c = compare("c", "EQUAL", "3");
  test.each([
    ["a = 1 and b = 2", { all: { filters: [a, b] } }],
    ["a = 1 or b = 2", { any: { filters: [a, b] } }],
    ["a = 1 or b = 2 and c = 3", { any: { filters: [a, { all: { filters: [b, c] } }] } }],
    ["(a = 1 or b = 2) and c = 3", { all: { filters: [{ any: { filters: [a, b] } }, c] } }],
    ["not a = 1", { not: a }],
    ["not (a = 1 AND b = 2)", { not: { all: { filters: [a, b] } } }],
    ["a between 1 and 2 and b = 2", { all: { filters: [{ range: { column: "a", from: "1", to: "2" } }, b] } }],
  ])("%s", (condition, expected) => {
    expect(parsed(condition)).toEqual(expected);
  });

  test("several options must all hold", () => {
    const filter = parseConditions(["a = 1", "b = 2 or c = 3"]);
    expect(filter && toJson(FilterSchema, filter.wire)).toEqual({
      all: { filters: [a, { any: { filters: [b, c] } }] },
    });
    expect(parseConditions([])).toBeUndefined();
  });
});

describe("mistakes are told with their place", () => {
  test.each([
    ["", /expected a column, found the end/],
    ["origin", /expected an operator.*found the end at character 7/],
    ["origin =", /expected a value, found the end/],
    ["origin = ATL)", /expected the end, found "\)" at character 13/],
    ["(origin = ATL", /expected "\)", found the end/],
    ["origin = 'ATL", /the quote at character 10 does not end/],
    ["origin starts_wiht A", /did you mean "starts_with"/],
    ["origin = null", /other than null/],
    ["delay between 1", /expected "and"/],
    ["delay is 5", /expected "null", found "5"/],
    ["origin in ATL", /expected "\("/],
    ["origin in (ATL", /expected "\)"/],
    ["a = 1 b = 2", /expected the end, found "="/],
    ["= 5", /expected a column, found "="/],
    ["a ! 5", /unexpected "!" at character 3/],
  ])("%s", (condition, message) => {
    expect(() => parseCondition(condition)).toThrow(message);
    expect(() => parseCondition(condition)).toThrow(UsageError);
  });
});

test("any column and text survive when they are quoted", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", minLength: 1 }), fc.string({ unit: "grapheme" }), (column, value) => {
      const quoted = `"${column.replaceAll('"', '""')}" = '${value.replaceAll("'", "''")}'`;
      expect(parsed(quoted)).toEqual(compare(column, "EQUAL", value));
    }),
  );
});
