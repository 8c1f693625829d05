import type { RejectedRow } from "../engine/file-scan.ts";
import type { LoadOutcome } from "./model.ts";

const MAX_WARNINGS = 100;
const MAX_WARNING_CHARS = 500;
/** What operations keep of an outcome, less a margin for its other fields. */
const MAX_SAMPLES_CHARS = 64_000;
const SHORT_TEXT = 200;
/** The version's lineage has all. */
const MAX_PACKAGES = 200;

/** The first warnings, cut to a length for people, and how many there are more. */
export function boundedWarnings(warnings: readonly string[]): readonly string[] {
  const first = warnings.slice(0, MAX_WARNINGS).map((warning) => warning.slice(0, MAX_WARNING_CHARS));
  const more = warnings.length - first.length;
  return more > 0 ? [...first, `and ${more} more warnings`] : first;
}

/** An outcome that operations keep as it is: texts of rejected rows are cut where they are long, then left out at the end. */
export function boundedOutcome(outcome: LoadOutcome): LoadOutcome {
  const { rejectedSamples, warnings, libraries } = outcome;
  const size = (samples: readonly RejectedRow[]) => JSON.stringify(samples).length;
  let samples = rejectedSamples;
  if (size(samples) > MAX_SAMPLES_CHARS)
    samples = samples.map((sample) => ({
      ...sample,
      text: sample.text.slice(0, SHORT_TEXT),
      reason: sample.reason.slice(0, SHORT_TEXT),
    }));
  while (size(samples) > MAX_SAMPLES_CHARS) samples = samples.slice(0, -1);
  return {
    ...outcome,
    rejectedSamples: samples,
    warnings: boundedWarnings(warnings),
    ...(libraries && { libraries: { ...libraries, packages: libraries.packages.slice(0, MAX_PACKAGES) } }),
  };
}
