import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decodeText, encodeRows } from "../../../src/sources/exchange/decode-text.ts";
import { type Loaded, LoadLab, type LoadOptions } from "../../helpers/load-engine.ts";

const MODULE = `
export const price = (text) => text === null ? null : Number(text.replace(/[^0-9.]/g, ""));
export const words = (text) => text === null ? null : text.split(" ");
export const strict = (text) => { if (text === "bad") throw new Error("it is bad"); return text; };
export const never = () => { for (;;); };
export const later = async () => "x";
export const rejecting = async () => { throw new Error("nobody hears this"); };
export const half = () => "\\uD83D";
export const nasty = () => { throw { toString() { throw new Error("not even a text"); } }; };
export const zero = (text) => text ?? "none";
`;

let lab: LoadLab;
let modules: readonly string[];
beforeAll(async () => {
  lab = await LoadLab.open();
  modules = [await lab.file("parsers.mjs", MODULE)];
});
afterAll(async () => {
  await lab[Symbol.asyncDispose]();
});

type Asked = Pick<LoadOptions, "options"> & { ending?: string };
// Time that no machine is too slow for, but where a function is to be stopped.
const parsers = (timeoutMs = 60_000) => ({ modules, timeoutMs });
const load = (text: string, options: Record<string, unknown>, ending = "csv"): Promise<Loaded> =>
  lab.loadText(text, { ending, options, parsers: parsers() });
const failure = (text: string, options: Record<string, unknown>, ending = "csv", timeoutMs?: number) =>
  lab.textFailure(text, { ending, options, parsers: parsers(timeoutMs) } satisfies LoadOptions & Asked);

describe("a value parser in SQL", () => {
  it("makes values of raw texts, typed by what it makes", async () => {
    const { types, values } = await load('a,b,c\n"1.234,5",x|y,7\n,z,8\n', {
      "parsers.a": "replace(replace(value, '.', ''), ',', '.')::DECIMAL(18,2)",
      "parsers.b": "list_transform(string_split(value, '|'), lambda part: upper(part))",
      parsers: { c: "coalesce(value, '0')" },
      "types.c": "INTEGER",
    });
    expect(types).toEqual({ a: "DECIMAL(18,2)", b: "VARCHAR[]", c: "INTEGER" });
    expect(values).toEqual([
      ["1234.50", ["X", "Y"], 7],
      [null, ["Z"], 8],
    ]);
  });

  it("works on JSON and XML as well", async () => {
    const options = { "parsers.a": "value::JSON ->> '$.b'" };
    expect((await load('{"a":{"b":5}}\n{"a":{"b":"x"}}\n', options, "json")).values).toEqual([["5"], ["x"]]);
    expect(
      (
        await load(
          "<r><i><a>5 kg</a></i><i><a>7 kg</a></i></r>",
          { "parsers.a": "split_part(value, ' ', 1)::INTEGER" },
          "xml",
        )
      ).values,
    ).toEqual([[5], [7]]);
  });

  it("names line, column and value of what it fails at, or skips and counts exactly", async () => {
    const text = `a,b\n1,x\n\n"2\n",x\nthree,x\n4,x\n${"five,x\n".repeat(3)}`;
    const options = { "parsers.a": "trim(value, chr(10))::INTEGER" };
    const error = await failure(text, options);
    expect(error).toMatchObject({
      reason: "VALUE_PARSER_FAILED",
      metadata: { line: "6", column: "a", value: "three" },
    });
    expect(error.message).toContain("Could not convert string 'three' to INT32");
    const { rows, rejectedRows, rejectedSamples } = await load(text, { ...options, badRows: "skip" });
    expect([rows, rejectedRows]).toEqual([3, 4]);
    expect(rejectedSamples.map(({ line }) => line)).toEqual([6, 8, 9, 10]);
    expect(await failure(text, { ...options, badRows: "skip", maxBadRows: 3 })).toMatchObject({
      reason: "TOO_MANY_BAD_ROWS",
    });
    const json = '{"a":"1"}\n{"a":"x"}\n';
    const inJson = { "parsers.a": "value::INTEGER" };
    expect(await failure(json, inJson, "json")).toMatchObject({
      reason: "VALUE_PARSER_FAILED",
      metadata: { line: "2", column: "a", value: "x" },
    });
    expect(await load(json, { ...inJson, badRows: "skip" }, "json")).toMatchObject({ rows: 1, rejectedRows: 1 });
    const xml = "<r>\n<i><a>1</a></i>\n<i><a>x</a></i></r>";
    expect(await failure(xml, inJson, "xml")).toMatchObject({ reason: "VALUE_PARSER_FAILED", metadata: { line: "3" } });
    expect(await load(xml, { ...inJson, badRows: "skip" }, "xml")).toMatchObject({ rows: 1, rejectedRows: 1 });
  });

  it("fails where a quote that is not closed takes lines along, even where bad rows are skipped", async () => {
    const options = { "parsers.a": "js:zero", badRows: "skip" };
    const asked = { quote: '"', header: true, delimiter: "," };
    const error = await failure('a,b\n1,2\n3,"4\n5,6\n7,8\n', { ...options, ...asked });
    expect(error).toMatchObject({ reason: "UNTERMINATED_QUOTE", metadata: { line: "3" } });
    expect(await load('a,b\n1,2\n3,4\n5,"6\n', { ...options, ...asked })).toMatchObject({ rows: 2, rejectedRows: 1 });
  });

  it.each([
    "(SELECT 1)",
    "value) FROM read_csv('/etc/passwd') --",
    "1), (2",
    "value); DROP TABLE x; SELECT (1",
    "(SELECT content FROM read_text('/etc/passwd'))",
    "read_text('/etc/passwd')",
    "getenv('HOME')",
    "current_setting('home_directory')",
    "sum(value)",
    "row_number() OVER ()",
    "unnest([value])",
    "$1",
    "*",
    "COLUMNS(*)",
    "c1",
    "other",
    "value.x.y",
    "random()",
    "error('x')",
    "EXISTS (SELECT 1)",
    "value IN (SELECT 'x')",
    "value::INTERVAL",
    "value::HUGEINT",
    "[value::HUGEINT]",
    "lambda x: x",
    "nextval('s')",
    "value LIMIT 1",
    "",
    "1; 2",
    "value)--",
    "list_transform([1], lambda value: other)",
    "'a' || (FROM range(3))",
    "query('select 1')",
    "parse_c0(value)",
  ])("refuses %s", async (sql) => {
    const error = await failure("a,c1,other\nx,y,z\n", { "parsers.a": sql });
    expect(error.reason).toMatch(/^(SQL_FORBIDDEN|SQL_INVALID|INVALID_OPTION)$/);
  });

  it("tells where the expression is wrong, as its writer counts", async () => {
    expect(await failure("a\nx\n", { "parsers.a": "value + getenv('X')" })).toMatchObject({
      reason: "SQL_FORBIDDEN",
      metadata: { line: "1", column: "a", function: "getenv" },
      message: expect.stringContaining("(line 1, column 9)"),
    });
    expect(await failure("a\nx\n", { "parsers.b": "value" })).toMatchObject({ reason: "UNKNOWN_COLUMN" });
  });

  it("takes comments, lambdas and names of the row's other columns for its own", async () => {
    const { values } = await load("c0,value,text\na,b,c\n", {
      "parsers.c0": "value || '!' -- so",
      "parsers.text": "list_reduce(['x', value], lambda value, other: value || other)",
    });
    expect(values).toEqual([["a!", "b", "xc"]]);
  });
});

describe("a value parser in JavaScript", () => {
  it("runs over the rows of delimited text, and types are found in what it makes", async () => {
    const { types, values } = await load('n;p;w\n1;"€ 12.50";a b\n2;€ 7;\n\n3;;"c;d ""e"""\n', {
      "parsers.p": "js:price",
      "parsers.w": "js:words",
    });
    expect(types).toEqual({ n: "BIGINT", p: "DOUBLE", w: "VARCHAR[]" });
    expect(values).toEqual([
      ["1", 12.5, ["a", "b"]],
      ["2", 7, null],
      ["3", null, ["c;d", '"e"']],
    ]);
  });

  it("runs over JSON, of which everything else stays", async () => {
    const options = { "parsers.p": "js:price", "parsers.z": "js:zero" };
    const lines = '{"p":"€ 1.5","n":12345678901234567890.12,"o":{"p":"€"}}\n\n{"n":1.0, "p" : null }\n{}\n';
    const { types, values } = await load(lines, options, "ndjson");
    expect(types).toMatchObject({ p: "DOUBLE", n: "DECIMAL(38,2)", z: "VARCHAR" });
    expect(values).toEqual([
      [1.5, "12345678901234567890.12", { p: "€" }, "none"],
      [null, "1.00", null, "none"],
      [null, null, null, "none"],
    ]);
    const array = '[{"p":"€ 1"},\n {"p":"a}\\"]b 2","q":[{"p":"7"}]}]';
    expect((await load(array, { "parsers.p": "js:price" }, "json")).values).toEqual([
      ["1", null],
      ["2", [{ p: "7" }]],
    ]);
  });

  it("leaves out records of JSON that are not UTF-8 where bad rows are skipped, and takes large ones bit by bit", async () => {
    const wrong = Buffer.from('{"a":"1","b":"x\u00ffy"}\n{"a":"2","b":"z"}\n', "latin1");
    const asked = { ending: "json", parsers: parsers() };
    const skipping = { "parsers.a": "js:price", badRows: "skip" };
    const { values, rejectedRows } = await lab.loadText(wrong, { ...asked, options: skipping });
    expect([values, rejectedRows]).toEqual([[["2", "z"]], 1]);
    const failed = await lab.textFailure(wrong, { ...asked, options: { "parsers.a": "js:price" } });
    expect(failed.reason).toBe("SOURCE_ENCODING");
    const large = Array.from({ length: 12 }, (_, a) => JSON.stringify({ a: String(a), b: "x".repeat(1_000_000) }));
    const { rows } = await load(`${large.join("\n")}\n`, { "parsers.a": "js:price", columns: "a" }, "json");
    expect(rows).toBe(12);
  });

  it("runs over records of XML, on each entry of a list", async () => {
    const xml = "<r><i><p>€ 1</p></i><i><p>€ 2</p><p>€ 2.5</p></i><i><z/></i></r>";
    const { types, values } = await load(xml, { "parsers.p": "js:price" }, "xml");
    expect(types).toEqual({ p: "DOUBLE[]", z: "VARCHAR" });
    expect(values).toEqual([
      [[1], null],
      [[2, 2.5], null],
      [null, null],
    ]);
  });

  it("names line, column and value of what it fails at, or skips and counts exactly", async () => {
    const options = { "parsers.a": "js:strict", "types.b": "INTEGER" };
    const csv = `a,b\nx,1\n\n"y\n",2\nbad,3\nz,4,5\nbad,6\nz,seven\nz,8\n`;
    const expected = { reason: "VALUE_PARSER_FAILED", metadata: { line: "6", column: "a", value: "bad" } };
    const error = await failure(csv, options);
    expect(error).toMatchObject(expected);
    expect(error.message).toContain('the parser fails at "bad": it is bad');
    const { rows, rejectedRows, rejectedSamples } = await load(csv, { ...options, badRows: "skip" });
    expect([rows, rejectedRows]).toEqual([3, 4]);
    expect(rejectedSamples.map(({ line, column }) => [line, column])).toEqual([
      [6, "a"],
      [7, ""],
      [8, "a"],
      [9, "b"],
    ]);
    expect(await failure(csv, { ...options, badRows: "skip", maxBadRows: 3 })).toMatchObject({
      reason: "TOO_MANY_BAD_ROWS",
      metadata: { rows: "4" },
    });
    const json = '{"a":"x","b":1}\n{"a":"bad","b":2}\n{"a":"y","b":"z"}\n{"a":"z","b":4}\n';
    expect(await failure(json, options, "ndjson")).toMatchObject({
      ...expected,
      metadata: { ...expected.metadata, line: "2" },
    });
    const skipped = await load(json, { ...options, badRows: "skip" }, "ndjson");
    expect([skipped.rows, skipped.rejectedRows, skipped.rejectedSamples.map(({ line }) => line)]).toEqual([
      2,
      2,
      [2, 3],
    ]);
    const xml = "<r>\n<i><a>x</a><b>1</b></i>\n<i><a>bad</a><b>2</b></i>\n<i><a>y</a><b>z</b></i></r>";
    expect(await failure(xml, options, "xml")).toMatchObject({
      ...expected,
      metadata: { ...expected.metadata, line: "3" },
    });
    const left = await load(xml, { ...options, badRows: "skip" }, "xml");
    expect([left.rows, left.rejectedRows, left.rejectedSamples.map(({ line }) => line)]).toEqual([1, 2, [3, 4]]);
  });

  it("is stopped where it takes too long, and answers now or not at all", async () => {
    expect(await failure("a\nx\n", { "parsers.a": "js:never" }, "csv", 500)).toMatchObject({
      reason: "VALUE_PARSER_FAILED",
      message: expect.stringContaining('took longer than 500 ms for a batch and was stopped at "x"'),
    });
    expect((await failure("a\nx\n", { "parsers.a": "js:later" })).message).toContain("a promise");
    // A promise that is rejected would end the process, as nobody waits for it.
    expect((await failure("a\nx\n", { "parsers.a": "js:rejecting" })).message).toContain("a promise");
    expect((await failure("a\nx\n", { "parsers.a": "js:half" })).message).toContain("surrogate");
    expect((await failure("a\nx\n", { "parsers.a": "js:nasty" })).message).toContain("has no text");
  });

  it("comes from the administrator's modules only", async () => {
    expect(await failure("a\nx\n", { "parsers.a": "js:pric" })).toMatchObject({
      reason: "INVALID_OPTION",
      message: expect.stringContaining("price"),
    });
    expect(await failure("a\nx\n", { "parsers.a": "js:() => 1" })).toMatchObject({ reason: "INVALID_OPTION" });
    const missing = lab.textFailure("a\nx\n", {
      options: { "parsers.a": "js:price" },
      parsers: { modules: ["/nowhere/parsers.mjs"], timeoutMs: 500 },
    });
    expect(await missing).toMatchObject({ reason: "CONFIG_INVALID" });
  });
});

describe("the value parser xml(path)", () => {
  const csvOf = (...values: readonly string[]) =>
    `a\n${values.map((value) => `"${value.replaceAll('"', '""')}"`).join("\n")}\n`;
  const value = async (xml: string, path: string) =>
    (await load(csvOf(xml), { "parsers.a": `xml(${path})` })).values[0]?.[0];

  it("takes texts, attributes and lists out of XML that is kept in a column", async () => {
    const order = `<?xml version="1.0"?><o:order xmlns:o="urn:o" id="7"><line><sku>A&amp;&#66;</sku></line></o:order>`;
    expect(await value(order, "order/@id")).toBe("7");
    expect(await value(order, "o:order/line/sku")).toBe("A&B");
    expect(await value(order, "order/line/@n")).toBeNull();
  });

  it("makes lists of all that a path leads to", async () => {
    const order = `<order><line n="1"><sku>A&amp;&#66;</sku></line><line n="2"><sku><![CDATA[<c>]]></sku></line></order>`;
    const { types, values } = await load(csvOf(order, "", "<order/>"), { "parsers.a": "xml(order/line/@n[])" });
    expect(types).toEqual({ a: "BIGINT[]" });
    expect(values).toEqual(expect.arrayContaining([[["1", "2"]], [null], [[]]]));
    expect(await value(order, "order/line/sku[]")).toEqual(["A&B", "<c>"]);
    expect(await value(order, "order/line[2]/sku")).toBe("<c>");
    expect(await value(order, "*/line[1]")).toBe("A&B");
    expect(await value(order, "order/none")).toBeNull();
  });

  it("refuses what is ambiguous, broken, hostile or too large, with the value", async () => {
    const fails = async (xml: string, path = "r/i") => {
      const { reason, message, metadata } = await failure(csvOf(xml), { "parsers.a": `xml(${path})` });
      expect(reason).toBe("VALUE_PARSER_FAILED");
      expect(metadata.line).toBe("2");
      return message;
    };
    expect(await fails("<r><i>1</i><i>2</i></r>")).toContain("r/i leads to 2 places");
    expect(await fails("<r><i>1</r>")).toContain("not well-formed");
    expect(await fails("plain text")).toContain("not well-formed");
    expect(await fails(`<!DOCTYPE r [<!ENTITY a "b">]><r><i>&a;</i></r>`)).toContain("refused");
    expect(await fails("<r><i>&a;</i></r>")).toContain("the entity &a; is not known");
    expect(await fails(`<r>${"<i>".repeat(200)}${"</i>".repeat(200)}</r>`)).toMatch(/nest/i);
    expect(await fails(`<r><i>${"x".repeat(5 << 20)}</i></r>`)).toContain("more than 4194304 characters");
    expect(await failure("a\nx\n", { "parsers.a": "xml(a b)" })).toMatchObject({ reason: "INVALID_OPTION" });
  });
});

describe("text of the exchange dialect", () => {
  it("is read back as it was written, wherever chunks are cut", async () => {
    const rows = [
      ["a", null, "", 'q"u,o\nte', ["x", null, '"y"\n'], "é\u{1F600}"],
      [null, null, null, null, null, null],
      ["\r\n", ",", '"', '""', [], "end"],
    ];
    const bytes = encodeRows(rows);
    for (const size of [1, 2, 3, 7, 1_000]) {
      const chunks = async function* () {
        for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
      };
      expect(await rowsOf(decodeText(chunks(), { lists: true }))).toEqual(rows);
    }
  });

  it("takes what looks like a list for a text where a source may have any", async () => {
    const rows = [["\u0001a,b", "\u0001[1,2]", "\u0001", "end"]];
    const chunks = async function* () {
      yield encodeRows(rows);
    };
    expect(await rowsOf(decodeText(chunks(), { lists: false }))).toEqual(rows);
  });
});

async function rowsOf<T>(batches: AsyncIterable<readonly T[]>): Promise<T[]> {
  const rows: T[] = [];
  for await (const batch of batches) rows.push(...batch);
  return rows;
}
