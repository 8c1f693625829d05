import { createHash, randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { VersionContent } from "../../../src/datasets/model.ts";

/** Writes files that a store takes for segments; their contents are told apart by the hashes in the lineage. */
export async function writeRawSegments(
  folder: string,
  operationId: string,
  sizes: readonly number[],
): Promise<VersionContent> {
  const segments = [];
  const hashes: Record<string, string> = {};
  for (const [index, bytes] of sizes.entries()) {
    const file = `segment-${index + 1}.parquet`;
    const data = randomBytes(bytes);
    await writeFile(join(folder, file), data);
    segments.push({ file, rows: 1, bytes });
    hashes[file] = createHash("sha256").update(data).digest("hex");
  }
  return {
    columns: [{ name: "i", type: "BIGINT", kind: "integer" }],
    segments,
    rows: sizes.length,
    bytes: sizes.reduce((sum, bytes) => sum + bytes, 0),
    sourceBytes: 1,
    lineage: { format: "csv", uri: "/a.csv", options: hashes, operationId },
    warnings: [],
    rejectedRows: 0,
  };
}

/** Whether a segment on disk is, byte by byte, what was written for it. */
export async function isAsWritten(
  path: string,
  file: string,
  options: Readonly<Record<string, unknown>>,
): Promise<boolean> {
  return (
    createHash("sha256")
      .update(await readFile(path))
      .digest("hex") === options[file]
  );
}
