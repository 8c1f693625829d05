import fc from "fast-check";
import Papa from "papaparse";
import { expect, it } from "vitest";
import { TextVerifier } from "../../../../src/engine/duckdb/load/text-verifier.ts";
import { statsOf } from "../../../../src/engine/text/infer-type.ts";

const SYNTAX = {
  delimiter: ",",
  quote: '"',
  escape: '"',
  comment: "",
  skipLines: 0,
  header: true,
  nullStrings: ["NA"],
};

const cell = fc.oneof(
  fc.integer().map(String),
  fc.double().map(String),
  fc.constantFrom(
    "",
    "NA",
    "007",
    "-0",
    " 5",
    "+5",
    "1.",
    ".5",
    "1e400",
    "1e-400",
    "2024-01-01",
    "true",
    'a "b"',
    "x,\ny",
    "99999999999999999999",
  ),
  fc.string(),
);

it("finds the columns that the statistics find, wherever chunks are cut", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 8 }),
      fc.integer({ min: 1, max: 40 }),
      (rows, size) => {
        const bytes = Buffer.from(`${Papa.unparse([["a", "b"], ...rows], { newline: "\n" })}\n`);
        const verifier = new TextVerifier(["BIGINT", "DOUBLE"], SYNTAX);
        for (let at = 0; at < bytes.length; at += size) verifier.push(bytes.subarray(at, at + size));
        verifier.end();
        const texts = (column: 0 | 1) =>
          rows.map((row) => row[column]).filter((value) => value !== "" && value !== "NA");
        const integers = statsOf(texts(0), ".");
        const numbers = texts(1);
        const doubles = numbers.every((value) => {
          const stats = statsOf([value, "1"], ".");
          return stats.float && stats.maxSignificant <= 15;
        });
        expect([verifier.broken.has(0), verifier.broken.has(1)]).toEqual([
          !(integers.integer && integers.fits64),
          !doubles,
        ]);
      },
    ),
    { numRuns: 2_000 },
  );
});

it("passes over comments, blank lines, lines to skip and a byte order mark", () => {
  const verifier = new TextVerifier(["BIGINT"], { ...SYNTAX, comment: "#", skipLines: 1, header: true });
  verifier.push(Buffer.from("\uFEFFnot this\r\n# nor this\r\n\r\nname\r\n1\r\n# x\r\n2"));
  verifier.end();
  expect([...verifier.broken]).toEqual([]);
  const without = new TextVerifier(["BIGINT", undefined], { ...SYNTAX, header: false });
  without.push(Buffer.from("\uFEFF1,x\n2,y\n"));
  without.end();
  expect([...without.broken]).toEqual([]);
});
