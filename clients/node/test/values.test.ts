import { create, fromJson } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { RowSchema } from "../src/gen/drover/v1/types_pb.js";
import { column, literal, where } from "../src/index.ts";
import type { Column } from "../src/model.ts";
import { Rows, rowDecoder } from "../src/rows.ts";
import { toJson, toWire } from "../src/values.ts";

const row = (...values: (null | boolean | number | string | object)[]) =>
  create(RowSchema, { values: values.map((value) => fromJson(ValueSchema, value as never)) });
const columnOf = (kind: Column["kind"], name: string = kind): Column => ({ name, kind, type: "" });

describe("values of rows", () => {
  test("are exact by the kind of their column", () => {
    const columns = (
      ["boolean", "integer", "integer", "decimal", "float", "float", "text", "binary", "timestamp", "nested"] as const
    ).map((kind, index) => columnOf(kind, `c${index}`));
    const decode = rowDecoder(columns, "bigint");
    const wire = row(
      true,
      7,
      "170141183460469231731687303715884105727",
      "1.10",
      0.5,
      "-Infinity",
      "x",
      "AQL/",
      "2001-01-01T00:00:00.000001",
      {
        a: [1, "9007199254740993", null],
      },
    );
    expect(decode([wire])).toEqual([
      [
        true,
        7,
        170141183460469231731687303715884105727n,
        "1.10",
        0.5,
        Number.NEGATIVE_INFINITY,
        "x",
        Uint8Array.of(1, 2, 255),
        "2001-01-01T00:00:00.000001",
        { a: [1, "9007199254740993", null] },
      ],
    ]);
    expect(decode([row(...columns.map(() => null))])).toEqual([columns.map(() => null)]);
  });

  test("that are large integers become what is asked for, or an error, never another number", () => {
    const columns = [columnOf("integer", "id")];
    expect(rowDecoder(columns, "string")([row("9007199254740993")])).toEqual([["9007199254740993"]]);
    expect(rowDecoder(columns, "number")([row("9007199254740991")])).toEqual([[9007199254740991]]);
    expect(() => rowDecoder(columns, "number")([row("9007199254740993")])).toThrow(/"id" holds 9007199254740993/);
  });

  test("keep their column whatever its name", () => {
    const columns = ["__proto__", "constructor", "", "🚀", "2", "1"].map((name) => columnOf("integer", name));
    const [object = {}] = new Rows(columns, [[1, 2, 3, 4, 5, 6]]).rows;
    expect(Object.keys(object)).toHaveLength(6);
    expect(Object.getOwnPropertyDescriptor(object, "__proto__")?.value).toBe(1);
    expect(object["🚀"]).toBe(4);
  });
});

describe("constants", () => {
  test.each([
    [null, null],
    [true, true],
    [-0.5, -0.5],
    [Number.NaN, "NaN"],
    [Number.NEGATIVE_INFINITY, "-Infinity"],
    [9007199254740993n, "9007199254740993"],
    ["x", "x"],
    [new Date(0), "1970-01-01T00:00:00.000Z"],
    [Uint8Array.of(1, 2), "AQI="],
  ])("%s travels as %s", (value, expected) => {
    expect(toJson(toWire(value))).toBe(expected);
  });

  test("that are no values are refused", () => {
    expect(() => where("date").equals(new Date(Number.NaN))).toThrow(/invalid Date/);
  });

  test("in expressions keep their type", () => {
    expect(literal(1n).wire.kind.value).toMatchObject({ type: "BIGINT" });
    expect(literal(2n ** 64n).wire.kind.value).toMatchObject({ type: "HUGEINT" });
    expect(literal("1.10", "DECIMAL(3,2)").wire.kind.value).toMatchObject({ type: "DECIMAL(3,2)" });
    expect(column("a").plus(1).wire.kind.case).toBe("call");
  });
});
