import fc from "fast-check";
import Papa from "papaparse";
import { afterAll, beforeAll, expect, it } from "vitest";
import { LoadLab } from "../../../helpers/load-engine.ts";

let lab: LoadLab;
beforeAll(async () => {
  lab = await LoadLab.open();
});
afterAll(() => lab[Symbol.asyncDispose]());

const text = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 12 })
  .filter((value) => value.isWellFormed() && !/[\0\uFEFF]/.test(value));

const two = (value: number) => String(value).padStart(2, "0");
const instant = fc.date({ min: new Date("1000-01-01"), max: new Date("9999-12-31"), noInvalidDate: true });

/** Values as they stand in a file: each must be found again, digit by digit. */
const columns: Readonly<Record<string, fc.Arbitrary<string>>> = {
  integer: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
  wide: fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }).map(String),
  zeros: fc.stringMatching(/^[0-9]{1,12}$/),
  decimal: fc
    .tuple(fc.bigInt({ min: -(10n ** 18n), max: 10n ** 18n }), fc.nat({ max: 999_999 }))
    .map(([whole, fraction]) => `${whole}.${fraction}`),
  short: fc
    .tuple(fc.integer({ min: -9_999, max: 9_999 }), fc.nat({ max: 9_999 }))
    .map(([whole, fraction]) => `${whole}.${fraction}`),
  double: fc.double({ noNaN: true }).map(String),
  date: instant.map((value) => value.toISOString().slice(0, 10)),
  timestamp: fc
    .tuple(instant, fc.nat({ max: 999_999_999 }))
    .map(
      ([value, nanos]) =>
        `${value.toISOString().slice(0, 10)} ${two(value.getUTCHours())}:${two(value.getUTCMinutes())}:${two(value.getUTCSeconds())}.${nanos}`,
    ),
  boolean: fc.constantFrom("true", "false"),
  text,
  mixed: fc.oneof(
    text,
    fc.integer().map(String),
    fc.constantFrom("true", "2024-01-01", "1.50", "-0", "007", "1e5", "NaN"),
  ),
};

const table = fc
  .tuple(fc.subarray(Object.keys(columns), { minLength: 1 }), fc.integer({ min: 1, max: 20 }))
  .chain(([kinds, rows]) =>
    fc.record({
      kinds: fc.constant(kinds),
      rows: fc.array(fc.tuple(...kinds.map((kind) => fc.option(columns[kind] ?? text, { nil: "", freq: 8 }))), {
        minLength: rows,
        maxLength: rows,
      }),
      delimiter: fc.constantFrom(",", ";", "\t", "|"),
      newline: fc.constantFrom("\n", "\r\n"),
      quotes: fc.boolean(),
    }),
  );

/** The value that a text stands for, written in one way: `1.50` and `1.5` are the same number, `007` and `7` are not. */
function meaning(value: unknown): string | null {
  if (value === null || value === "") return null;
  const written = String(value);
  // Numbers like any other in a column of doubles, which writes them in its own way.
  if (/^(nan|-?inf(inity)?)$/i.test(written)) return written.toLowerCase().replace("inity", "");
  const time = /^([0-9]{4}-[0-9]{2}-[0-9]{2}) ([0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]+)?$/.exec(written);
  if (time) return `${time[1]} ${time[2]}${(time[3] ?? "").replace(/\.?0+$/, "")}`;
  const number = /^[ \t]*([+-]?)(0|[1-9][0-9]*)?(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]+))?[ \t]*$/.exec(written);
  if (!number || (number[2] === undefined && !number[3])) return written;
  const [, sign, whole = "", fraction = "", exponent = "0"] = number;
  const digits = (whole + fraction).replace(/^0+/, "");
  const kept = digits.replace(/0+$/, "");
  const power = Number(exponent) - fraction.length + digits.length - kept.length;
  return kept === "" ? "0" : `${sign === "-" ? "-" : ""}${kept}e${power}`;
}

it("finds every value of a random table again", { timeout: 180_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(table, async ({ kinds, rows, delimiter, newline, quotes }) => {
      // An id keeps rows apart, whatever order they come back in, and a line from being blank.
      const header = ["row", ...kinds];
      const lines = rows.map((row, at) => [`r${at}`, ...row]);
      const csv = Papa.unparse([header, ...lines], { delimiter, newline, quotes });
      const loaded = await lab.loadText(csv + newline, { options: { header: true, delimiter } });
      const all = header.map((name) => `"${name}"::VARCHAR`).join(", ");
      const values = await lab.query(
        `SELECT ${all} FROM '${loaded.directory}/*.parquet' ORDER BY substr("row", 2)::INTEGER`,
      );
      expect(values.map((row) => row.map(meaning))).toEqual(lines.map((row) => row.map(meaning)));
    }),
    { numRuns: 150 },
  );
});
