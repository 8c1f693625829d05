import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { advance, noProgress } from "../../../src/operations/progress.ts";

describe("progress", () => {
  it("carries averages since the start", () => {
    const progress = advance(noProgress, { rows: 500, bytes: 4000, totalBytes: 8000, phase: "reading" }, 2000);
    expect(progress).toEqual({
      fraction: undefined,
      rows: 500,
      bytes: 4000,
      totalBytes: 8000,
      rowsPerSecond: 250,
      bytesPerSecond: 2000,
      phase: "reading",
    });
  });

  it("keeps what a report leaves out", () => {
    const first = advance(noProgress, { fraction: 0.5, rows: 5, phase: "reading" }, 1000);
    expect(advance(first, {}, 1000)).toEqual(first);
  });

  it("never goes back and never leaves 0 to 1, whatever is reported", () => {
    const number = fc.option(fc.oneof(fc.double(), fc.integer({ min: -10, max: 1_000_000 })), { nil: undefined });
    const report = fc.record(
      { fraction: number, rows: number, bytes: number, totalBytes: number },
      { requiredKeys: [], noNullPrototype: true },
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(report, fc.nat(1000))), (reports) => {
        let last = noProgress;
        let elapsedMs = 0;
        for (const [values, ms] of reports) {
          elapsedMs += ms;
          const next = advance(last, values as Parameters<typeof advance>[1], elapsedMs);
          expect(next.rows).toBeGreaterThanOrEqual(last.rows);
          expect(next.bytes).toBeGreaterThanOrEqual(last.bytes);
          expect(next.totalBytes).toBeGreaterThanOrEqual(last.totalBytes);
          if (last.fraction !== undefined) expect(next.fraction).toBeGreaterThanOrEqual(last.fraction);
          if (next.fraction !== undefined) {
            expect(next.fraction).toBeGreaterThanOrEqual(0);
            expect(next.fraction).toBeLessThanOrEqual(1);
          }
          expect(next.rowsPerSecond).not.toBeNaN();
          last = next;
        }
      }),
    );
  });
});
