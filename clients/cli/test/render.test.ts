import fc from "fast-check";
import stringWidth from "string-width";
import { describe, expect, test } from "vitest";
import { DroverError, Rows } from "../../node/src/index.ts";
import { bars } from "../src/render/bars.ts";
import { cellFormat, cellText, floatText, printable } from "../src/render/cell.ts";
import { jsonText } from "../src/render/json.ts";
import { runningSetText, usedLibrariesText } from "../src/render/library-sets.ts";
import { ProgressBar, progressLine } from "../src/render/progress-bar.ts";
import { resultTable } from "../src/render/result.ts";
import { styleFor, wantsColours } from "../src/render/style.ts";
import { TableWriter, table } from "../src/render/table.ts";
import { bytesText, durationText, shortCount } from "../src/render/units.ts";

const plain = styleFor(false);
const integer = { name: "n", type: "BIGINT", kind: "integer" } as const;
const float = { name: "x", type: "DOUBLE", kind: "float" } as const;

describe("tables", () => {
  test("align by what the eye sees, numbers to the right", () => {
    const text = table(
      [{ title: "city" }, { title: "rows", right: true }],
      [
        ["東京", "1"],
        ["Zürich", "1,000"],
        ["👩‍👩‍👧", "22"],
      ],
      plain,
    );
    expect(text).toBe("city     rows\n──────  ─────\n東京        1\nZürich  1,000\n👩‍👩‍👧         22\n");
  });

  test("keep to the widths of the first rows", () => {
    const writer = new TableWriter([{ title: "a" }, { title: "b" }], plain);
    expect(writer.write([["xx", "1"]])).toBe("a   b\n──  ─\nxx  1\n");
    expect(writer.write([["y", "2"]])).toBe("y   2\n");
    expect(writer.write([])).toBe("");
  });

  test("have a heading when there are no rows", () => {
    expect(table([{ title: "name" }], [], plain)).toBe("name\n────\n");
  });

  test("show NULL unlike any word", () => {
    expect(cellText(null)).toBe("∅");
    expect(cellText("NULL")).toBe("NULL");
    expect(cellText("")).toBe("");
  });

  test("let no control character of the data reach the terminal", () => {
    expect(printable("a\u001b[31mb\nc\u202ed")).toBe("a\\u001b[31mb\\nc\\u202ed");
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
        expect(printable(text)).not.toMatch(/[\x00-\x1f\x7f-\x9f\u202a-\u202e]/);
      }),
    );
  });

  test("round floats for the eye and keep every digit on demand", () => {
    expect([1 / 3, 1234.56789, 0.000123456, -7.25, 5, 1e300, Number.NaN].map(floatText)).toEqual([
      "0.3333",
      "1234.568",
      "0.0001235",
      "-7.250",
      "5",
      "1e+300",
      "NaN",
    ]);
    const format = cellFormat(float, [1.5, null], false);
    expect([1.5, 2, -0.04, null, Number.NaN, 1e15].map(format)).toEqual([
      "1.500",
      "2.000",
      "-0.040",
      "∅",
      "NaN",
      "1000000000000000",
    ]);
    expect([0.04, 2].map(cellFormat(float, [0.04, 2], false))).toEqual(["0.04", "2"]);
    expect(cellFormat(float, [], true)(1 / 3)).toBe("0.3333333333333333");
    expect(cellFormat({ kind: "decimal" }, [], false)("12345678901234567890.12")).toBe("12345678901234567890.12");
    expect(cellText(Uint8Array.of(1, 255))).toBe("\\x01ff");
    expect(cellText({ a: [1, null] })).toBe('{"a":[1,null]}');
  });
});

describe("bars", () => {
  test("grow with the values", () => {
    expect(bars([4, 2, 1, 0], 4)).toEqual(["████", "██", "█", ""]);
    expect(bars([8, 1], 4)).toEqual(["████", "▌"]);
  });

  test("show what is there, however small, and nothing for what has no size", () => {
    expect(bars([1000, 0.001, undefined, Number.NaN], 4)).toEqual(["████", "▏", "", ""]);
    expect(bars([0, 0], 4)).toEqual(["", ""]);
    expect(bars([], 4)).toEqual([]);
  });

  test("grow to both sides of zero from one axis", () => {
    expect(bars([2, -2, 0, -1], 4)).toEqual(["  ██", "██", "  ", " █"]);
  });

  test("never are wider than asked", () => {
    const value = fc.oneof(fc.double({ noDefaultInfinity: true }), fc.integer(), fc.constant(undefined));
    fc.assert(
      fc.property(fc.array(value), fc.integer({ min: 8, max: 60 }), (values, width) => {
        for (const bar of bars(values, width)) expect(stringWidth(bar)).toBeLessThanOrEqual(width + 1);
      }),
    );
  });
});

describe("results", () => {
  const rows = new Rows(
    [{ name: "hour", type: "INTEGER", kind: "integer" }, integer, float],
    [
      [5, "10", 2.5],
      [6, "20", null],
    ],
  );

  test("stand as a table with bars for a measure", () => {
    const text = resultTable(rows, { style: plain, full: false, lineWidth: 80, barColumn: "n" });
    expect(text.split("\n")).toEqual([
      "hour   n      x  n",
      "────  ──  ─────  ────────────────────────────────────────",
      "   5  10  2.500  ████████████████████",
      "   6  20      ∅  ████████████████████████████████████████",
      "",
    ]);
  });

  test("have no bars where the line is too short or the column has no numbers", () => {
    const narrow = resultTable(rows, { style: plain, full: false, lineWidth: 20, barColumn: "n" });
    expect(narrow).not.toContain("█");
    const unknown = resultTable(rows, { style: plain, full: false, lineWidth: 80, barColumn: "nothing" });
    expect(unknown).not.toContain("█");
  });

  test("leave totals out of the bars", () => {
    const totals = new Rows(
      [integer, { name: "row_kind", type: "VARCHAR", kind: "text" }],
      [
        ["1", "group"],
        ["1", "total"],
        ["9", "others"],
      ],
    );
    const lines = resultTable(totals, { style: plain, full: false, lineWidth: 80, barColumn: "n" }).split("\n");
    expect(lines[2]).toContain("█");
    expect(`${lines[3]}${lines[4]}`).not.toContain("█");
  });
});

describe("progress", () => {
  const progress = {
    fraction: 0.42,
    rows: 1_260_000,
    bytes: 42_000_000,
    totalBytes: 100_000_000,
    rowsPerSecond: 712_000,
    bytesPerSecond: 31_400_000,
    phase: "reading",
  };

  test("says share, rows and rates in one line", () => {
    expect(progressLine("flights", progress)).toBe(
      "flights  ██████████░░░░░░░░░░░░░░  42 %  1.26 M rows  712 k rows/s  31.4 MB/s  1.8 s left  reading",
    );
  });

  test("is drawn on a terminal only, within its width, and goes away", () => {
    const written: string[] = [];
    const write = (text: string) => written.push(text);
    new ProgressBar({ isTTY: false, write }, "flights").update(progress);
    expect(written).toEqual([]);
    const bar = new ProgressBar({ isTTY: true, columns: 40, write }, "flights");
    bar.update(progress);
    bar.clear();
    bar.clear();
    expect(written).toHaveLength(2);
    expect(stringWidth(written[0] ?? "")).toBeLessThan(40);
  });

  test("takes a terminal that does not tell its width for one of 80 columns", () => {
    const written: string[] = [];
    new ProgressBar({ isTTY: true, columns: 0, write: (text) => written.push(text) }, "flights").update(progress);
    expect(stringWidth(written[0] ?? "")).toBeGreaterThan(40);
    expect(stringWidth(written[0] ?? "")).toBeLessThan(80);
  });
});

test("units keep three digits", () => {
  expect([0, 999, 999.6, 1_234, 62_100_000, 1e12].map(bytesText)).toEqual([
    "0 B",
    "999 B",
    "1.00 kB",
    "1.23 kB",
    "62.1 MB",
    "1.00 TB",
  ]);
  expect([0, 950, 712_345, 3e6].map(shortCount)).toEqual(["0", "950", "712 k", "3.00 M"]);
  expect([1.23, 840, 4_200, 200_000, 7_500_000].map(durationText)).toEqual([
    "1.2 ms",
    "840 ms",
    "4.2 s",
    "3 min 20 s",
    "2 h 5 min",
  ]);
});

test("colours go to terminals that want them", () => {
  expect(wantsColours(true, {})).toBe(true);
  expect(wantsColours(true, { NO_COLOR: "1" })).toBe(false);
  expect(wantsColours(true, { TERM: "dumb" })).toBe(false);
  expect(wantsColours(false, {})).toBe(false);
});

test("JSON keeps what JSON has no word for", () => {
  expect(jsonText([Number.NaN, Number.NEGATIVE_INFINITY, 12n, Uint8Array.of(1, 2)])).toBe(
    '["NaN","-Infinity","12","AQI="]',
  );
});

test("JSON has errors with their messages", () => {
  const problem = new DroverError({
    reason: "LIBRARY_SET_DAMAGED",
    message: "set.json was altered",
    code: 15,
    help: "mend it",
  });
  expect(JSON.parse(jsonText({ problem }))).toEqual({
    problem: {
      ...{ reason: "LIBRARY_SET_DAMAGED", code: 15, message: "set.json was altered", help: "mend it" },
      ...{ retryable: false, metadata: {} },
    },
  });
});

describe("library sets", () => {
  const hash = "3f2a1b9c0d1e".padEnd(64, "0");
  const packages = [
    { name: "pg", version: "8.11.3" },
    { name: "@acme/connector", version: "1.2.0" },
  ];

  test("of a driver are shown with what they serve and hold", () => {
    const set = { name: "warehouse", hash, kinds: ["acme", "postgres"], sourcePatterns: ["sales-*", "lake"], packages };
    expect(runningSetText(set)).toBe(
      "warehouse 3f2a1b9c0d1e for acme, postgres, sources sales-* lake: pg 8.11.3, @acme/connector 1.2.0",
    );
    // Where what they serve is not told.
    const untold = runningSetText({ ...set, kinds: [], sourcePatterns: [] });
    expect(untold).toBe("warehouse 3f2a1b9c0d1e: pg 8.11.3, @acme/connector 1.2.0");
  });

  test("of a version are shown with what of them ran", () => {
    const [pg] = packages;
    const used = pg === undefined ? [] : [pg];
    expect(usedLibrariesText({ set: { name: "warehouse", hash }, packages: used })).toBe(
      "warehouse 3f2a1b9c0d1e: pg 8.11.3",
    );
    expect(usedLibrariesText({ set: undefined, packages: used })).toBe("built-in: pg 8.11.3");
  });
});
