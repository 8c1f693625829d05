/** The value below which the share `p` (0 to 1) of the samples lies. */
export function percentile(samples: readonly number[], p: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const value = sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))];
  if (value === undefined) throw new Error("no samples");
  return value;
}

export function median(samples: readonly number[]): number {
  return percentile(samples, 0.5);
}

/** How long `work` takes, in milliseconds. */
export async function timeMs(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/**
 * Runs two things in turn and answers the median of the ratios of their times: what slows the machine for a while slows
 * both sides of a pair.
 */
export async function pairedRatio(
  runs: number,
  ours: () => Promise<unknown>,
  theirs: () => Promise<unknown>,
): Promise<number> {
  const ratios: number[] = [];
  for (let run = 0; run < runs; run++) {
    const baseline = await timeMs(theirs);
    ratios.push((await timeMs(ours)) / baseline);
  }
  return median(ratios);
}
