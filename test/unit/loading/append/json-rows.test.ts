import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { TypeKind } from "../../../../src/engine/types.ts";
import { encodeJsonRows, type JsonShape } from "../../../../src/loading/worker/append/json-rows.ts";
import { rowColumn } from "../../../../src/loading/worker/append/row-shape.ts";

function shape(columns: Readonly<Record<string, string>>, more: Partial<JsonShape> = {}): JsonShape {
  const kindOf = (type: string): TypeKind => (type === "BLOB" ? "binary" : type.includes("(a ") ? "nested" : "other");
  return {
    columns: Object.entries(columns).map(([name, type]) => rowColumn({ name, type, kind: kindOf(type) })),
    names: [],
    firstRow: 1,
    ...more,
  };
}

function encode(text: string, rows: JsonShape): string {
  return Buffer.from(encodeJsonRows(Buffer.from(text), rows).text).toString();
}

function failure(text: string, rows: JsonShape): unknown {
  try {
    encode(text, rows);
  } catch (error) {
    return error;
  }
  throw new Error(`${text} was taken`);
}

const abc = shape({ a: "BIGINT", b: "VARCHAR", c: "DOUBLE" });

describe("JSON rows", () => {
  it("become text with every column in its place", () => {
    expect(encode('{"b":"x","a":1}\n{"c":1.5,"a":-2,"b":""}\n', abc)).toBe('1,"x",\n-2,"",1.5\n');
    expect(encode('[1.5,"x"]\n', { ...abc, names: ["c", "b"] })).toBe(',"x",1.5\n');
    expect(encode('  {}  \r\n\n{"a":null}', abc)).toBe(",,\n,,\n");
  });

  it("keep every digit, and every character of a text", () => {
    expect(encode('{"a":123456789012345678901234567890}', abc)).toBe("123456789012345678901234567890,,\n");
    expect(encode('{"c":0.1000000000000000055511151231257827}', abc)).toBe(",,0.1000000000000000055511151231257827\n");
    expect(encode('{"b":"a\\"b,\\nü\\u00e9\\ud83d\\ude00"}', abc)).toBe(',"a""b,\nüé😀",\n');
  });

  it("take nested values as JSON, bytes as base64", () => {
    const nested = shape({ s: "STRUCT(a BIGINT)", x: "BLOB" });
    expect(encode('{"s":{"a":"}\\""},"x":"3q2+7w=="}', nested)).toBe('"{""a"":""}\\""""}",deadbeef\n');
    expect(encode('{"x":""}', nested)).toBe(',""\n');
    expect(failure('{"x":"no base64"}', nested)).toMatchObject({
      reason: "LOAD_TYPE_MISMATCH",
      metadata: { column: "x" },
    });
  });

  it("refuse digits that a decimal would round off", () => {
    const price = shape({ p: "DECIMAL(9,2)" });
    expect(encode('{"p":1.50}\n{"p":"2.500"}\n{"p":3}', price)).toBe('1.50\n"2.500"\n3\n');
    for (const text of ["1.505", '"0.001"', "1e-3"])
      expect(failure(`{"p":1}\n{"p":${text}}`, price)).toMatchObject({
        reason: "LOAD_TYPE_MISMATCH",
        metadata: { row: "2", column: "p", value: text.replaceAll('"', "") },
      });
  });

  it.each([
    ["[1,2]", "no names of columns"],
    ['{"a":1', "end"],
    ['{"a":1}}', "follows it"],
    ['{"a":1} {"a":2}', "follows it"],
    ['{"a":tru}', "where a value is expected"],
    ['{"a":01}', "is no number"],
    ['{"a":1.}', "is no number"],
    ['{"a":12x}', "is no number"],
    ['{"a":"x}\n', "does not end"],
    ['{"a":"\\x"}', "escape"],
    ['{"a":"\\ud800"}', "no character"],
    ['{"a":1,"a":2}', "twice"],
    ['{"a":[1,', "not closed"],
    ['{"a":[1,]}', "not JSON"],
    ["1", "neither an array nor an object"],
    ["{1:2}", "a key is no string"],
  ])("that are malformed are refused with their number: %s", (text, complaint) => {
    const error = failure(`{"a":1}\n\n${text}`, { ...abc, firstRow: 100 });
    expect(error).toMatchObject({
      reason: "MALFORMED_ROWS",
      message: expect.stringContaining(complaint),
      metadata: { row: "101" },
    });
  });

  it("name a column that the dataset does not have", () => {
    expect(failure('{"a":1}\n{"z":1}', abc)).toMatchObject({
      reason: "UNKNOWN_COLUMN",
      metadata: { row: "2", column: "z" },
    });
    expect(failure("[1]", { ...abc, names: ["z"] })).toMatchObject({ reason: "UNKNOWN_COLUMN" });
  });

  it("must have as many values as columns were named", () => {
    const two = { ...abc, names: ["a", "b"] };
    for (const row of ["[]", "[1]", "[1,2,3]"])
      expect(failure(row, two)).toMatchObject({ reason: "MALFORMED_ROWS", message: expect.stringContaining("values") });
  });

  it("are refused where they are not UTF-8", () => {
    expect(() => encodeJsonRows(Buffer.from([0x7b, 0xff, 0x7d]), abc)).toThrow(/UTF-8/);
  });

  it("mean the same as what JSON.parse makes of them, whatever they are", () => {
    const value = fc.oneof(
      fc.constant(null),
      fc.integer(),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.boolean(),
      fc.string({ unit: "grapheme" }).filter((text) => text.isWellFormed() && !text.includes("\0")),
    );
    const row = fc.dictionary(fc.constantFrom("a", "b", "c"), value);
    const field = (found: unknown) => {
      if (found === null || found === undefined) return "";
      return typeof found === "string" ? `"${found.replaceAll('"', '""')}"` : JSON.stringify(found);
    };
    fc.assert(
      fc.property(fc.array(row), (rows) => {
        const text = rows.map((each) => `${JSON.stringify(each)}\n`).join("");
        const expected = rows.map((each) => `${["a", "b", "c"].map((name) => field(each[name])).join(",")}\n`).join("");
        const texts = shape({ a: "VARCHAR", b: "VARCHAR", c: "VARCHAR" });
        expect(encode(text, texts)).toBe(expected);
      }),
    );
  });
});
