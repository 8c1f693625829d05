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
}

/** The versions that the policy lets go, of a list with the current one first and then from new to old. */
export function versionsToRemove(
  versions: readonly RetainedVersion[],
  { maxVersions, maxAgeMs, maxBytes }: RetentionPolicy,
  now: number,
): readonly number[] {
  let bytes = 0;
  let full = false;
  const removed: number[] = [];
  for (const [index, version] of versions.entries()) {
    bytes += version.bytes;
    if (index === 0) continue;
    const tooOld = maxAgeMs > 0 && now - Date.parse(version.createTime) > maxAgeMs;
    // Once one does not fit, no older one stays either: gaps in a history help nobody.
    full ||= maxBytes > 0 && bytes > maxBytes;
    if (index >= maxVersions || tooOld || full) removed.push(version.number);
  }
  return removed;
}
