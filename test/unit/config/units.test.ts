import fc from "fast-check";
import { expect, test } from "vitest";
import { formatBytes, formatDuration, parseBytes, parseDuration } from "../../../src/config/units.ts";

test("sizes are read in powers of 1,000 and of 1,024", () => {
  expect(parseBytes("512MB")).toBe(512e6);
  expect(parseBytes("1.5 GiB")).toBe(1.5 * 2 ** 30);
  expect(parseBytes("7b")).toBe(7);
});

test("durations are read", () => {
  expect(parseDuration("250ms")).toBe(250);
  expect(parseDuration("1.5h")).toBe(5_400_000);
  expect(parseDuration("7d")).toBe(604_800_000);
});

test.each(["", "5", "MB", "-1MB", "1 parsec", "1,5GB", "1MB2"])("%j is neither a size nor a duration", (text) => {
  expect(() => parseBytes(text)).toThrow();
  expect(() => parseDuration(text)).toThrow();
});

test("a duration that was written is read again as the same", () => {
  fc.assert(
    fc.property(fc.nat({ max: 2 ** 40 }), (milliseconds) => {
      expect(parseDuration(formatDuration(milliseconds))).toBe(milliseconds);
    }),
  );
});

test("a size that was written is read again as nearly the same", () => {
  fc.assert(
    fc.property(fc.nat({ max: 2 ** 45 }), (bytes) => {
      expect(Math.abs(parseBytes(formatBytes(bytes)) - bytes)).toBeLessThanOrEqual(bytes * 0.06);
    }),
  );
});
