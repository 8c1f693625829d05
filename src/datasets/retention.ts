/** What is kept of a dataset's versions. The current one always is. */
export interface RetentionPolicy {
  /** How many, the current one included; at least 1. */
  readonly maxVersions: number;
  /** How old a version may become; 0: any age. */
  readonly maxAgeMs: number;
  /** Bytes on disk of all of a dataset's versions together; 0: any size. */
  readonly maxBytes: number;
}

export interface RetainedVersion {
  readonly number: number;
  readonly createTime: string;
  /** Of the segments that no newer version has. */
  readonly bytes: number;
  /** The version that it only adds to, or merges: the work of a stream of appends. */
  readonly extends?: number | undefined;
}

/**
 * A stream of appends makes several versions a second, and each holds the one before. Of such a row of versions only the last one
 * counts as one of those that are kept; the others stay for so long after they were followed, for who reads page by page.
 */
export const PASSING_KEPT_MS = 30_000;
/** More of them than this are not kept even for that long. */
const MAX_PASSING = 100;

/** The versions that the policy lets go, of a list with the current one first and then from new to old. */
export function versionsToRemove(
  versions: readonly RetainedVersion[],
  { maxVersions, maxAgeMs, maxBytes }: RetentionPolicy,
  now: number,
): readonly number[] {
  let bytes = 0;
  let full = false;
  let passing = 0;
  const removed: number[] = [];
  for (const [index, version] of versions.entries()) {
    bytes += version.bytes;
    const newer = versions[index - 1];
    if (newer === undefined) continue;
    // Those between them may be gone already.
    if (version.extends !== undefined && newer.extends !== undefined && newer.extends >= version.number) {
      const followed = Date.parse(newer.createTime);
      if (++passing > MAX_PASSING || now - followed > PASSING_KEPT_MS) removed.push(version.number);
      continue;
    }
    const tooOld = maxAgeMs > 0 && now - Date.parse(version.createTime) > maxAgeMs;
    // Once one does not fit, no older one stays either: gaps in a history help nobody.
    full ||= maxBytes > 0 && bytes > maxBytes;
    if (index - passing >= maxVersions || tooOld || full) removed.push(version.number);
  }
  return removed;
}
