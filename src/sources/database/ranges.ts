/** One range of a column: from a bound up to and without the next one. Bounds are SQL of values. */
export interface Range {
  /** Undefined for the first range, which holds the NULLs as well. */
  readonly from: string | undefined;
  /** Undefined for the last one. */
  readonly to: string | undefined;
}

/** Ranges of which every row, also one with NULL or NaN, lies in exactly one. `bounds` ascend in the database's own order. */
export function rangesOf(bounds: readonly string[]): readonly Range[] {
  return [undefined, ...bounds].map((from, index) => ({ from, to: bounds[index] }));
}

/** The condition of one range in SQL. */
export function rangeCondition(column: string, { from, to }: Range): string {
  if (from === undefined) return to === undefined ? "(1 = 1)" : `(${column} < ${to} OR ${column} IS NULL)`;
  return to === undefined ? `(${column} >= ${from})` : `(${column} >= ${from} AND ${column} < ${to})`;
}

/** At most `count - 1` bounds at equal distances in a histogram whose buckets hold as many rows each; repeated ones once. */
export function histogramBounds<T>(histogram: readonly T[], count: number): readonly T[] {
  const buckets = histogram.length - 1;
  if (buckets < 2) return [];
  const picked: T[] = [];
  for (let part = 1; part < Math.min(count, buckets); part++) {
    const at = Math.round((part * buckets) / Math.min(count, buckets));
    const bound = histogram[at];
    if (bound !== undefined && at > 0 && at < buckets && picked.at(-1) !== bound) picked.push(bound);
  }
  return picked;
}

/** At most `count - 1` whole numbers that cut what lies from `least` to `greatest` into equal parts. */
export function evenBounds(least: bigint, greatest: bigint, count: number): readonly bigint[] {
  const width = greatest - least;
  if (width <= 0n || count < 2) return [];
  const bounds: bigint[] = [];
  for (let part = 1n; part < BigInt(count); part++) {
    const bound = least + (width * part) / BigInt(count) + 1n;
    if (bound <= greatest && bounds.at(-1) !== bound) bounds.push(bound);
  }
  return bounds;
}
