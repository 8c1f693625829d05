import { constants } from "node:fs";
import { copyFile, link } from "node:fs/promises";
import { join } from "node:path";
import type { SegmentInfo } from "../engine/file-scan.ts";
import { isCode, sealFile } from "./files.ts";
import type { PinnedVersion } from "./model.ts";

/*
 * A version that keeps segments of the one before has them in its own folder under `v<number>-<file>`, after the version that
 * wrote them: hard links, so that any version's folder can go without the others. The name tells which files are one.
 */
const KEPT = /^v([1-9][0-9]*)-(.+)$/;

export function isKept(file: string): boolean {
  return KEPT.test(file);
}

/** The same for the same file in all versions of a dataset. */
export function segmentIdentity(version: number, file: string): string {
  const [, origin = version, name = file] = KEPT.exec(file) ?? [];
  return `${origin}/${name}`;
}

/**
 * Puts segments of a version into another one's folder, under the names that are answered. The version must stay pinned meanwhile.
 * What is there already under such a name came from an earlier version of the same dataset, and stays.
 */
export async function keepSegments(
  { manifest, segmentPaths }: Pick<PinnedVersion, "manifest" | "segmentPaths">,
  segments: readonly SegmentInfo[],
  folder: string,
): Promise<readonly SegmentInfo[]> {
  const paths = new Map(manifest.segments.map(({ file }, index) => [file, segmentPaths[index] ?? ""]));
  const kept: SegmentInfo[] = [];
  for (const segment of segments) {
    const file = isKept(segment.file) ? segment.file : `v${manifest.number}-${segment.file}`;
    await linkOrCopy(paths.get(segment.file) ?? "", join(folder, file));
    kept.push({ ...segment, file });
  }
  return kept;
}

/**
 * Linux refuses to link other users' files that one may not write (fs.protected_hardlinks), some file systems have no links
 * and the others a bound of them.
 */
async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    if (isCode(error, "EEXIST")) return;
    await copyFile(from, to, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
    await sealFile(to);
  }
}
