import type { WrittenSegments } from "../engine/file-scan.ts";

const MAX_SAMPLES = 100;

/** Parts of one version as one. They have the same columns. */
export function mergedSegments(parts: readonly WrittenSegments[]): WrittenSegments {
  const sum = (key: "rows" | "bytes" | "sourceBytes" | "rejectedRows") =>
    parts.reduce((all, part) => all + part[key], 0);
  return {
    columns: parts[0]?.columns ?? [],
    segments: parts.flatMap(({ segments }) => segments),
    rows: sum("rows"),
    bytes: sum("bytes"),
    sourceBytes: sum("sourceBytes"),
    rejectedRows: sum("rejectedRows"),
    rejectedSamples: parts.flatMap(({ rejectedSamples }) => rejectedSamples).slice(0, MAX_SAMPLES),
  };
}
