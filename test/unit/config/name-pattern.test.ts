import { expect, test } from "vitest";
import { matchesPattern } from "../../../src/config/name-pattern.ts";

test.each([
  ["", ""],
  ["*", ""],
  ["**", "anything"],
  ["sales", "sales"],
  ["sales*", "sales"],
  ["*sales", "my sales"],
  ["s*s", "sales"],
  ["s*a*s", "saas"],
  ["?", "x"],
  ["s??es", "sales"],
  ["*.?", "a.b.c"],
  ["a.c", "a.c"],
  ["[ab]", "[ab]"],
])("%j matches %j", (pattern, text) => {
  expect(matchesPattern(pattern, text)).toBe(true);
});

test.each([
  ["", "x"],
  ["sales", "sales "],
  ["sales", "Sales"],
  ["?", ""],
  ["?", "xy"],
  ["s*s", "sale"],
  ["*a*b", "ba"],
  ["a.c", "abc"],
  ["[ab]", "a"],
  ["sales-*", "sales"],
])("%j does not match %j", (pattern, text) => {
  expect(matchesPattern(pattern, text)).toBe(false);
});

test("a pattern made to take long does not", () => {
  expect(matchesPattern(`${"a*".repeat(500)}b`, "a".repeat(20_000))).toBe(false);
});
