import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { versionsToRemove } from "../../../src/datasets/retention.ts";

const DAY_MS = 86_400_000;
const now = Date.parse("2026-03-10T00:00:00Z");
const all = { maxVersions: 100, maxAgeMs: 0, maxBytes: 0 };

// Version 5 is the current one; each older one is a day older, and each has 10 bytes.
const five = [5, 4, 3, 2, 1].map((number) => ({
  number,
  createTime: new Date(now - (5 - number) * DAY_MS).toISOString(),
  bytes: 10,
}));

describe("retention", () => {
  it("keeps everything without limits", () => {
    expect(versionsToRemove(five, all, now)).toEqual([]);
  });

  it("keeps so many", () => {
    expect(versionsToRemove(five, { ...all, maxVersions: 2 }, now)).toEqual([3, 2, 1]);
  });

  it("keeps those that are young enough", () => {
    expect(versionsToRemove(five, { ...all, maxAgeMs: 2 * DAY_MS }, now)).toEqual([2, 1]);
  });

  it("keeps as many of the newest as fit", () => {
    expect(versionsToRemove(five, { ...all, maxBytes: 39 }, now)).toEqual([2, 1]);
  });

  it("leaves no gap where a large version does not fit", () => {
    const [first, second, ...rest] = five;
    if (first === undefined || second === undefined) throw new Error("five are five");
    expect(versionsToRemove([first, { ...second, bytes: 100 }, ...rest], { ...all, maxBytes: 50 }, now)).toEqual([
      4, 3, 2, 1,
    ]);
  });

  it("counts a row of versions that appends have made as one, and lets the older of them go soon", () => {
    const second = (number: number, seconds: number, isStep: boolean, from = number - 1) => ({
      number,
      createTime: new Date(now - seconds * 1_000).toISOString(),
      bytes: 10,
      ...(isStep && { extends: from }),
    });
    const steps = Array.from({ length: 100 }, (_, at) => second(102 - at, at, true));
    const versions = [second(103, 0, false), ...steps, second(2, 1_000, false), second(1, 2_000, false)];
    const removed = versionsToRemove(versions, { ...all, maxVersions: 3 }, now);
    // The load, the last of the appends, and what they began with stay; of the others those that were followed just now.
    expect(removed).toEqual([...steps.slice(32).map(({ number }) => number), 1]);
    // A version that an older one was made of again does not follow from the one before it.
    const restored = [second(12, 0, true, 3), second(11, 100, true), second(10, 200, true), second(9, 300, false)];
    expect(versionsToRemove(restored, { ...all, maxVersions: 3 }, now)).toEqual([10]);
  });

  it("never removes the current version, whatever the limits and clocks", () => {
    const version = fc.record({
      number: fc.nat(),
      createTime: fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
      bytes: fc.nat(),
    });
    const policy = fc.record({ maxVersions: fc.integer({ min: 1, max: 5 }), maxAgeMs: fc.nat(), maxBytes: fc.nat() });
    const list = fc.uniqueArray(version, { selector: ({ number }) => number });
    fc.assert(
      fc.property(list, policy, fc.nat(), (versions, limits, time) => {
        const removed = versionsToRemove(versions, limits, time);
        expect(removed).not.toContain(versions[0]?.number);
        expect(versions.length - removed.length).toBeLessThanOrEqual(Math.max(limits.maxVersions, 0));
      }),
    );
  });
});
