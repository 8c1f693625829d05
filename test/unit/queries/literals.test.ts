import { describe, expect, test } from "vitest";
import { columnType, literalType } from "../../../src/queries/column-type.ts";
import { readLiteral, readLiteralExactly, readUntyped } from "../../../src/queries/literals.ts";
import type { Scalar } from "../../../src/queries/model.ts";

const types = {
  tiny: columnType({ type: "TINYINT", kind: "integer" }),
  big: columnType({ type: "BIGINT", kind: "integer" }),
  ubig: columnType({ type: "UBIGINT", kind: "integer" }),
  huge: columnType({ type: "HUGEINT", kind: "integer" }),
  money: columnType({ type: "DECIMAL(10,2)", kind: "decimal" }),
  widest: columnType({ type: "DECIMAL(38,2)", kind: "decimal" }),
  float: columnType({ type: "FLOAT", kind: "float" }),
  double: columnType({ type: "DOUBLE", kind: "float" }),
  date: columnType({ type: "DATE", kind: "date" }),
  time: columnType({ type: "TIME", kind: "time" }),
  timetz: columnType({ type: "TIME WITH TIME ZONE", kind: "time" }),
  timestamp: columnType({ type: "TIMESTAMP", kind: "timestamp" }),
  seconds: columnType({ type: "TIMESTAMP_S", kind: "timestamp" }),
  nanos: columnType({ type: "TIMESTAMP_NS", kind: "timestamp" }),
  instant: columnType({ type: "TIMESTAMP WITH TIME ZONE", kind: "timestampTz" }),
} as const;

function read(value: Scalar, name: keyof typeof types): string {
  const reading = readLiteral(value, types[name]);
  return "problem" in reading ? "refused" : `${reading.expr.value} ${reading.type.type}`;
}

describe("a value that meets a column", () => {
  test.each<[Scalar, keyof typeof types, string]>([
    [5, "tiny", "5 TINYINT"],
    ["-5", "tiny", "-5 TINYINT"],
    [128, "tiny", "128 HUGEINT"],
    [1.5, "tiny", "refused"],
    ["9223372036854775807", "big", "9223372036854775807 BIGINT"],
    [2 ** 53, "big", "refused"],
    ["1e3", "big", "1000 BIGINT"],
    ["10.0", "big", "10 BIGINT"],
    ["-1", "ubig", "-1 HUGEINT"],
    ["170141183460469231731687303715884105727", "huge", "170141183460469231731687303715884105727 HUGEINT"],
    ["170141183460469231731687303715884105728", "huge", "refused"],
    ["", "big", "refused"],
    ["0x10", "big", "refused"],
    [true, "big", "refused"],
  ])("%j for %s is %s", (value, type, expected) => expect(read(value, type)).toBe(expected));

  test.each<[Scalar, keyof typeof types, string]>([
    [0.1, "money", "0.1 DECIMAL(10,2)"],
    ["12345678.90", "money", "12345678.9 DECIMAL(10,2)"],
    ["-.5", "money", "-0.5 DECIMAL(10,2)"],
    ["0.125", "money", "0.125 DECIMAL(11,3)"],
    ["123456789", "money", "123456789 DECIMAL(11,2)"],
    ["0.001", "widest", "refused"],
    ["999999999999999999999999999999999999.99", "widest", "999999999999999999999999999999999999.99 DECIMAL(38,2)"],
    ["NaN", "money", "refused"],
    [1e21, "money", "refused"],
    ["1e9999", "money", "refused"],
  ])("%j for %s is %s", (value, type, expected) => expect(read(value, type)).toBe(expected));

  test.each<[Scalar, keyof typeof types, string]>([
    [0.1, "float", "0.1 FLOAT"],
    [1e300, "float", "1e+300 DOUBLE"],
    ["NaN", "float", "NaN FLOAT"],
    ["-Infinity", "double", "-Infinity DOUBLE"],
    ["1e400", "double", "refused"],
    ["1e-400", "double", "0 DOUBLE"],
    ["Inf", "double", "refused"],
    [".", "double", "refused"],
  ])("%j for %s is %s", (value, type, expected) => expect(read(value, type)).toBe(expected));

  test.each<[Scalar, keyof typeof types, string]>([
    ["2024-02-29", "date", "2024-02-29 DATE"],
    ["1900-02-29", "date", "refused"],
    ["2024-13-01", "date", "refused"],
    ["+012024-02-29", "date", "12024-02-29 DATE"],
    ["0000-01-01", "date", "0001-01-01 (BC) DATE"],
    ["-000043-03-15", "date", "0044-03-15 (BC) DATE"],
    ["infinity", "date", "infinity DATE"],
    ["2024-02-29T00:00:00", "date", "refused"],
    [20240229, "date", "refused"],
    ["23:59:59.999999", "time", "23:59:59.999999000 TIME"],
    ["24:00:00", "time", "24:00:00 TIME"],
    ["24:00:01", "time", "refused"],
    ["10:00", "timetz", "10:00:00+00:00 TIME WITH TIME ZONE"],
    ["10:00:00-03:30", "timetz", "10:00:00-03:30 TIME WITH TIME ZONE"],
    ["10:00+01", "time", "refused"],
    ["2024-02-29 12:00:00.5", "timestamp", "2024-02-29 12:00:00.5 TIMESTAMP"],
    ["2024-02-29T12:00:00.5Z", "timestamp", "2024-02-29 12:00:00.5 TIMESTAMP"],
    ["2024-02-29T12:00:00+01:00", "timestamp", "refused"],
    ["2024-02-29T12:00:00.5", "seconds", "2024-02-29 12:00:00.5 TIMESTAMP"],
    ["2024-02-29", "seconds", "2024-02-29 00:00:00 TIMESTAMP_S"],
    ["2024-02-29T12:00:00.123456789", "nanos", "2024-02-29 12:00:00.123456789 TIMESTAMP_NS"],
    ["2024-02-29T12:00:00.123456789", "timestamp", "refused"],
    ["1600-01-01T00:00:00", "nanos", "refused"],
    ["2024-12-31T23:00:00-02:00", "instant", "2025-01-01 01:00:00+00 TIMESTAMP WITH TIME ZONE"],
    ["1970-01-01T00:00:00+00:00:01", "instant", "1969-12-31 23:59:59+00 TIMESTAMP WITH TIME ZONE"],
    ["-000001-12-31T23:30:00-01:00", "instant", "0001-01-01 (BC) 00:30:00+00 TIMESTAMP WITH TIME ZONE"],
    ["999999-01-01", "instant", "refused"],
  ])("%j for %s is %s", (value, type, expected) =>
    expect(read(value, type).replace("999999000", "999999")).toBe(expected.replace("999999000", "999999")),
  );
});

test("a constant of a given type must fit into it, and is not widened", () => {
  expect(readLiteralExactly(300, types.tiny)).toHaveProperty("problem");
  expect(readLiteralExactly("0.125", types.money)).toHaveProperty("problem");
});

test("a constant without a type has the one of its JSON value", () => {
  const typeOf = (value: Scalar) => {
    const reading = readUntyped(value);
    return "problem" in reading ? undefined : reading.type.type;
  };
  expect([true, 1, 2 ** 53 - 1, 2 ** 53, 1.5, "1", null].map(typeOf)).toEqual([
    "BOOLEAN",
    "BIGINT",
    "BIGINT",
    "DOUBLE",
    "DOUBLE",
    "VARCHAR",
    "NULL",
  ]);
});

test("types of constants are read in any case, with their aliases, and nothing else is", () => {
  const texts = ["int", "Decimal( 10 , 2 )", "numeric(38)", "timestamp  with time zone", "text"];
  expect(texts.map((text) => literalType(text)?.type)).toEqual([
    "INTEGER",
    "DECIMAL(10,2)",
    "DECIMAL(38,0)",
    "TIMESTAMP WITH TIME ZONE",
    "VARCHAR",
  ]);
  for (const text of ["", "DECIMAL(39,2)", "DECIMAL(2,3)", "STRUCT(a INTEGER)", "constructor", "INTEGER[]", "INTEGER)"])
    expect(literalType(text)).toBeUndefined();
});
