import { describe, expect, it } from "vitest";
import { DriverError } from "../../../src/errors/driver-error.ts";
import { chooseKind, sourceKinds } from "../../../src/sources/kinds.ts";
import { parseOptions } from "../../../src/sources/option-values.ts";
import type { OptionSchema } from "../../../src/sources/options.ts";
import { sourcesMarkdown } from "../../../src/sources/sources-markdown.ts";

function thrownBy(work: () => unknown): DriverError {
  try {
    work();
  } catch (error) {
    if (error instanceof DriverError) return error;
  }
  throw new Error("nothing was thrown");
}

const connector = (kind: string) => chooseKind(sourceKinds, { format: kind, uri: "" });

const schema = {
  text: { type: "string", doc: "", choices: ["one", "three"] },
  flag: { type: "boolean", doc: "" },
  count: { type: "integer", doc: "" },
  names: { type: "stringList", doc: "" },
  types: { type: "stringMap", doc: "" },
} as const satisfies OptionSchema;

describe("option values", () => {
  it("come as text or as what they are", () => {
    const asText = parseOptions("x", schema, {
      text: "one",
      flag: "yes",
      count: "12",
      names: "a, b",
      types: "a=DECIMAL(1,0),b = DATE",
    });
    const asIs = parseOptions("x", schema, {
      text: "one",
      flag: true,
      count: 12,
      names: ["a", "b"],
      types: { a: "DECIMAL(1,0)", b: "DATE" },
    });
    const asJson = parseOptions("x", schema, {
      text: "one",
      flag: "1",
      count: 12,
      names: '["a","b"]',
      types: '{"a":"DECIMAL(1,0)","b":"DATE"}',
    });
    expect(asText).toEqual(asIs);
    expect(asJson).toEqual(asIs);
    expect(asText.map("types")).toEqual({ a: "DECIMAL(1,0)", b: "DATE" });
  });

  it("may be left out by null", () => {
    expect(parseOptions("x", schema, { count: null }).integer("count")).toBeUndefined();
  });

  it.each([
    ["text", "tree"],
    ["text", 1],
    ["flag", "maybe"],
    ["count", -1],
    ["count", "1.5"],
    ["count", "many"],
    ["names", 5],
    ["names", [1]],
    ["names", "[1,"],
    ["types", "a"],
    ["types", "=x"],
    ["types", ["a"]],
    ["types", '{"a":1}'],
    ["text", "a\0b"],
  ])("are refused by name: %s=%j", (name, value) => {
    const error = thrownBy(() => parseOptions("x", schema, { [name]: value }));
    expect(error).toMatchObject({ reason: "INVALID_OPTION", metadata: { option: name } });
    expect(error.violations[0]?.field).toBe(`source.options.${name}`);
  });

  it("with unknown names are refused with the nearest known one", () => {
    const error = thrownBy(() => connector("csv").check({ delimeter: ";" }));
    expect(error).toMatchObject({
      reason: "UNKNOWN_OPTION",
      message: 'csv has no option "delimeter"; did you mean "delimiter"?',
    });
    expect(thrownBy(() => connector("csv").check({ constructor: 1 })).reason).toBe("UNKNOWN_OPTION");
  });
});

describe("what connectors refuse before they look at a file", () => {
  it.each([
    ["csv", { delimiter: "" }],
    ["csv", { delimiter: "a\nb" }],
    ["csv", { quote: "ab" }],
    ["csv", { comment: "" }],
    ["csv", { decimalSeparator: ";" }],
    ["csv", { delimiter: ",", decimalSeparator: "," }],
    ["csv", { types: "a=WHATEVER" }],
    ["csv", { types: "a=DECIMAL(39,2)" }],
    ["csv", { types: "a=DECIMAL(2,3)" }],
    ["csv", { types: "a=INTEGER; DROP TABLE x" }],
    ["csv", { columns: "a,a" }],
    ["csv", { columns: [] }],
    ["csv", { badRows: "ignore" }],
    ["csv", { maxBadRows: 5 }],
    ["csv", { badRows: "skip", maxBadRows: 1e9 }],
    ["json", { layout: "lines" }],
    ["json", { layout: "array", badRows: "skip" }],
    ["csv", { encoding: "klingon" }],
  ])("%s %j", (kind, options) => {
    expect(thrownBy(() => connector(kind).check(options)).reason).toBe("INVALID_OPTION");
  });
});

describe("formats", () => {
  it.each([
    ["/x/a.csv", "csv"],
    ["/x/a.CSV.gz", "csv"],
    ["/x/*.tsv.zst", "tsv"],
    ["/x/a.ndjson", "json"],
    ["/x.d/a.jsonl.gz", "json"],
    ["/x/a.parquet", "parquet"],
  ])("%s is %s", (uri, kind) => {
    expect(chooseKind(sourceKinds, { format: undefined, uri }).kind).toBe(kind);
  });

  it("are told from the ending unless they are named, and must exist", () => {
    expect(chooseKind(sourceKinds, { format: "csv", uri: "/x/a.dat" }).kind).toBe("csv");
    expect(thrownBy(() => chooseKind(sourceKinds, { format: undefined, uri: "/x/a" })).reason).toBe("UNKNOWN_FORMAT");
    expect(thrownBy(() => chooseKind(sourceKinds, { format: "parqet", uri: "/x" })).message).toContain(
      'did you mean "parquet"',
    );
  });
});

it("documents every option of every connector", () => {
  const markdown = sourcesMarkdown();
  for (const { kind, options } of sourceKinds) {
    const section = markdown.slice(markdown.indexOf(`\n## ${kind}\n`)).split("\n## ")[1];
    for (const name of Object.keys(options)) expect(section).toContain(`| \`${name}\` |`);
  }
});
