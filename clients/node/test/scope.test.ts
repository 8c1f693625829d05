import { expect, test } from "vitest";
import { type Scope, scopeHeader, scopeToWire } from "../src/access/scope.ts";

const invalid = (message: string) =>
  expect.objectContaining({ reason: "INVALID_ARGUMENT", message: expect.stringContaining(message) });

test("a scope that says nothing shows everything, and an empty list nothing", () => {
  expect(scopeToWire({})).toMatchObject({ datasets: ["*"], rows: [], hidden: [] });
  expect(scopeToWire({ datasets: [] })).toMatchObject({ datasets: [] });
});

test("a scope with a word that it does not have is refused, as it might show everything", () => {
  const stored: object = { dataset: ["sales"] };
  expect(() => scopeToWire(stored as Scope)).toThrow(invalid('no "dataset"'));
});

test("a scope that no call has room for is refused before it is sent", () => {
  const datasets = Array.from({ length: 900 }, (_, index) => `dataset-${index}`.padEnd(20, "x"));
  expect(scopeHeader({ datasets }).length).toBeLessThan(32 * 1024);
  const longer = datasets.map((name) => name.padEnd(40, "x"));
  expect(() => scopeHeader({ datasets: longer })).toThrow(invalid("give long rules to a token"));
});
