import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LoadLab } from "../../../helpers/load-engine.ts";

let lab: LoadLab;
beforeAll(async () => {
  lab = await LoadLab.open();
});
afterAll(() => lab[Symbol.asyncDispose]());

const load = (text: string | Uint8Array, options: Readonly<Record<string, unknown>> = {}, ending = "json") =>
  lab.loadText(text, { ending, options });

describe("layouts", () => {
  it.each([
    ["an array", '[{"a":1},\n{"a":2}]'],
    ["lines", '{"a":1}\n\n{"a":2}\n'],
    ["objects over several lines", '{\n "a": 1\n}\n{\n "a": 2\n}'],
    ["a byte order mark", '\uFEFF[{"a":1},{"a":2}]'],
  ])("reads %s", async (_, text) => {
    expect((await load(text)).values).toEqual([["1"], ["2"]]);
  });

  it("reads gzip", async () => {
    expect((await load(gzipSync('{"a":1}\n{"a":2}\n'), {}, "ndjson.gz")).rows).toBe(2);
  });

  it("takes the layout that is said", async () => {
    const error = await lab.textFailure('{"a":1}\n{"a":2}\n', { ending: "json", options: { layout: "array" } });
    expect(error.reason).toBe("MALFORMED_JSON");
  });
});

describe("columns", () => {
  it("come from all records, not from the first ones", async () => {
    const rows = Array.from({ length: 30_000 }, () => '{"a":1}');
    const loaded = await load([...rows, '{"a":1.5,"late":{"x":[1,2]}}'].join("\n"));
    expect(loaded.types).toEqual({ a: "DOUBLE", late: "STRUCT(x BIGINT[])" });
    expect(loaded.rows).toBe(30_001);
  });

  it("have the types of their values", async () => {
    const loaded = await load(
      '[{"i":1,"d":1.5,"b":true,"s":"x","day":"2024-01-01","at":"2024-01-01T10:00:00Z","n":null,"o":{"k":"v"},"l":[{"q":1}]},{"day":null}]',
    );
    expect(loaded.types).toEqual({
      i: "BIGINT",
      d: "DOUBLE",
      b: "BOOLEAN",
      s: "VARCHAR",
      day: "DATE",
      at: "TIMESTAMP WITH TIME ZONE",
      n: "VARCHAR",
      o: "STRUCT(k VARCHAR)",
      l: "STRUCT(q BIGINT)[]",
    });
  });

  it("are text where values are of different kinds", async () => {
    const loaded = await load('{"a":1}\n{"a":"x"}\n{"a":{"b":2}}\n');
    expect(loaded.values).toEqual([["1"], ["x"], ['{"b":2}']]);
    expect(loaded.warnings).toEqual([expect.stringContaining('"a"')]);
  });

  it("are made unique where keys are empty or differ only by case", async () => {
    const loaded = await load('[{"a":1,"A":"two","":3.5,"x.y":[1],"q\\"z":5,"it\'s":6}]');
    expect(loaded.columns.map(({ name }) => name)).toEqual(["a", "A_2", "column_3", "x.y", 'q"z', "it's"]);
    expect(loaded.values).toEqual([["1", "two", 3.5, ["1"], "5", "6"]]);
  });

  it("are kept and declared as asked", async () => {
    const loaded = await load('[{"a":1,"b":"007","c":true}]', { columns: "c,b", types: { b: "INTEGER" } });
    expect(loaded.values).toEqual([[true, 7]]);
  });
});

describe("digits", () => {
  it("are all kept in numbers that a double can't hold", async () => {
    const loaded = await load(
      '[{"a":12345678901234567890.12,"b":123456789012345678,"c":0.1,"d":18446744073709551616,"n":{"x":1234567890123456789,"y":0.12345678901234567}},' +
        '{"a":-1.5,"b":7,"c":2,"d":1,"n":{"x":1,"y":0.5}}]',
    );
    expect(loaded.types).toEqual({
      a: "DECIMAL(38,2)",
      b: "BIGINT",
      c: "DOUBLE",
      d: "DECIMAL(38,0)",
      n: "STRUCT(x UBIGINT, y VARCHAR)",
    });
    expect(loaded.values).toEqual([
      ["-1.50", "7", 2, "1", { x: "1", y: "0.5" }],
      [
        "12345678901234567890.12",
        "123456789012345678",
        0.1,
        "18446744073709551616",
        { x: "1234567890123456789", y: "0.12345678901234567" },
      ],
    ]);
  });

  it("are kept in a long number far behind the first rows and across chunks of the file", async () => {
    const filler = Array.from({ length: 40_000 }, (_, row) => `{"v":${row}.5,"t":"${"x".repeat(row % 17)}"}`).join(
      "\n",
    );
    const loaded = await load(`${filler}\n{"v":98765432109876543210.5,"t":"\\"1.2345678901234567890"}\n`);
    expect(loaded.types).toEqual({ v: "DECIMAL(38,1)", t: "VARCHAR" });
    expect(await lab.query(`SELECT max(v)::VARCHAR, count(*) FROM '${loaded.directory}/*.parquet'`)).toEqual([
      ["98765432109876543210.5", "40001"],
    ]);
  });

  it("of text are text", async () => {
    expect((await load('[{"a":"123"},{"a":"007"}]')).types).toEqual({ a: "VARCHAR" });
  });
});

describe("bad input", () => {
  it.each([
    ["", "EMPTY_SOURCE"],
    ["[]", "EMPTY_SOURCE"],
    ["[1,2]", "MALFORMED_JSON"],
    ["hello", "MALFORMED_JSON"],
    ['[{"a":1},{"a":2}', "MALFORMED_JSON"],
    ['{"a":1}\n[2]\n', "MALFORMED_JSON"],
  ])("%j is %s", async (text, reason) => {
    expect((await lab.textFailure(text, { ending: "json" })).reason).toBe(reason);
  });

  it("is named by its line", async () => {
    const error = await lab.textFailure('{"a":1}\n\n{"a":2\n{"a":3}\n', { ending: "json" });
    expect(error).toMatchObject({ reason: "MALFORMED_JSON", metadata: { line: "3", column: "1" } });
    const late = await lab.textFailure(`[\n${'{"a":1},\n'.repeat(50_000)}{"a":"x}\n]`, { ending: "json" });
    expect(late).toMatchObject({ reason: "MALFORMED_JSON", metadata: { line: "50002" } });
  });

  it("of another encoding or kind is named as such", async () => {
    expect((await lab.textFailure(Buffer.from('[{"a":"\xe9"}]', "latin1"), { ending: "json" })).reason).toBe(
      "SOURCE_ENCODING",
    );
    expect((await lab.textFailure(Buffer.from([0x7b, 0, 1]), { ending: "json" })).reason).toBe("SOURCE_BINARY");
  });

  it("that does not fit a declared type is named by line and column", async () => {
    const error = await lab.textFailure('{"a":1}\n{"a":"x"}\n', { ending: "ndjson", options: { types: "a=BIGINT" } });
    expect(error).toMatchObject({ reason: "LOAD_TYPE_MISMATCH", metadata: { line: "2", column: "a", value: "x" } });
  });
});
