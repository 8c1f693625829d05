import type { SegmentInfo, SegmentLimits } from "../../engine/file-scan.ts";

/** So many segments of about one size become one. */
const FAN_IN = 8;
/** A segment that has this share of what it may have is large enough. */
const LARGE = 0.25;

/**
 * Which small segments shall become one; undefined for none. Segments are in classes by size, each eight times as large as the one
 * below, and a class that has eight is merged: so a row is written again only as often as there are classes, and
 * there are never many segments.
 */
export function chooseMerge(
  segments: readonly SegmentInfo[],
  limits: SegmentLimits,
): readonly SegmentInfo[] | undefined {
  const classes = new Map<number, SegmentInfo[]>();
  for (const segment of segments) {
    const share = shareOf(segment, limits);
    if (share >= LARGE) continue;
    const size = Math.floor(Math.log(share) / Math.log(FAN_IN));
    classes.set(size, [...(classes.get(size) ?? []), segment]);
  }
  const full = [...classes].filter(([, members]) => members.length >= FAN_IN).sort(([left], [right]) => left - right);
  return full[0] && fitting(full[0][1], limits);
}

/** How much of what a segment may have it has, by rows or by bytes. */
function shareOf({ rows, bytes }: SegmentInfo, limits: SegmentLimits): number {
  return Math.max(rows / limits.maxRows, bytes / limits.maxBytes);
}

/** As many as make one segment. */
function fitting(segments: readonly SegmentInfo[], limits: SegmentLimits): readonly SegmentInfo[] {
  let share = 0;
  return segments.filter((segment) => {
    share += shareOf(segment, limits);
    return share <= 1;
  });
}

/** How many segments a version has that are not large. */
export function countSmall(segments: readonly SegmentInfo[], limits: SegmentLimits): number {
  return segments.filter((segment) => shareOf(segment, limits) < LARGE).length;
}
