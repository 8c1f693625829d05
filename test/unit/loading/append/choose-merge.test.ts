import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chooseMerge, countSmall } from "../../../../src/loading/append/choose-merge.ts";

const limits = { maxRows: 1_000_000, maxBytes: 256e6, maxRowGroupBytes: 64e6 };
const segment = (file: string, rows: number) => ({ file, rows, bytes: rows * 20 });

describe("small segments", () => {
  it("are left alone while there are few of a size", () => {
    const seven = Array.from({ length: 7 }, (_, at) => segment(`s${at}`, 100));
    expect(chooseMerge(seven, limits)).toBeUndefined();
    expect(chooseMerge([...seven, segment("large", 900_000), segment("other", 5_000)], limits)).toBeUndefined();
    expect(chooseMerge([...seven, segment("s7", 120)], limits)?.map(({ file }) => file)).toHaveLength(8);
  });

  it("that are large enough are never written again", () => {
    const large = Array.from({ length: 100 }, (_, at) => segment(`l${at}`, 250_000));
    expect(chooseMerge(large, limits)).toBeUndefined();
    expect(countSmall(large, limits)).toBe(0);
  });

  it("stay few however many appends there are, and each row is written few times", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 200_000 }), { minLength: 200, maxLength: 1_000 }), (appends) => {
        let segments: ReturnType<typeof segment>[] = [];
        let [written, merges, appended] = [0, 0, 0];
        for (const rows of appends) {
          appended += rows;
          segments.push(segment(`a${appended}`, rows));
          for (let chosen = chooseMerge(segments, limits); chosen; chosen = chooseMerge(segments, limits)) {
            const gone = new Set(chosen);
            const sum = chosen.reduce((total, each) => total + each.rows, 0);
            expect(sum).toBeLessThanOrEqual(limits.maxRows);
            segments = [...segments.filter((each) => !gone.has(each)), segment(`m${merges++}`, sum)];
            written += sum;
          }
        }
        expect(segments.reduce((sum, { rows }) => sum + rows, 0)).toBe(appended);
        expect(countSmall(segments, limits)).toBeLessThanOrEqual(7 * 8);
        expect(written).toBeLessThanOrEqual(8 * appended);
      }),
      { numRuns: 20 },
    );
  });
});
