import { stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { chunksOf } from "../engine/byte-stream.ts";
import type { FileOrigin } from "../engine/file-scan.ts";
import { DriverError } from "../errors/driver-error.ts";
import type { Source, SourceContext } from "./connector.ts";
import { findFiles, shownName } from "./source-files.ts";
import { plainName } from "./transcode.ts";

/** Files of text, or for a preview the beginning of the first of them that holds something. */
export interface TextFiles {
  readonly origins: readonly FileOrigin[];
  /** Whether what is there is only a beginning, whose last record may be cut off. */
  readonly cut: boolean;
}

/** Finds the files of a source of text. `encoding` is the one that was named. */
export async function findTextFiles(
  source: Source,
  context: SourceContext,
  encoding: string | undefined,
): Promise<TextFiles> {
  const { beginningBytes } = context;
  const origins = await findFiles(source, context, { beginningBytes });
  if (beginningBytes === undefined) return { origins, cut: false };
  const first = origins.find(({ bytes }) => bytes > 0) ?? origins[0];
  if (first === undefined) return { origins, cut: false };
  const { bytes, complete } = await beginningOf(
    first.path,
    beginningBytes,
    source.arriving || first.partial || false,
    context.signal,
  );
  const text = complete ? bytes : wholeLines(bytes, encoding);
  const path = join(context.workDirectory, `beginning-${plainName(first.path)}`);
  await writeFile(path, text, { mode: 0o600 });
  const state = await stat(path, { bigint: true });
  const origin = { path, bytes: text.length, modifiedNs: state.mtimeNs, inode: state.ino, shownAs: shownName(first) };
  return { origins: [origin], cut: !complete || origins.length > 1 };
}

/** The first bytes of a file, decompressed, and whether they are all of it. */
async function beginningOf(
  path: string,
  limit: number,
  partial: boolean,
  signal: AbortSignal,
): Promise<{ readonly bytes: Buffer; readonly complete: boolean }> {
  const parts: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of chunksOf(path, { signal })) {
      parts.push(chunk);
      size += chunk.length;
      if (size > limit) break;
    }
  } catch (error) {
    // What is not all there ends in the middle of its compression.
    if (!partial || !(error instanceof DriverError) || error.reason !== "SOURCE_TRUNCATED") throw error;
  }
  return { bytes: Buffer.concat(parts).subarray(0, limit), complete: size <= limit && !partial };
}

/** Up to the last line end; the last line may be cut off in the middle of a character. */
function wholeLines(bytes: Buffer, encoding: string | undefined): Buffer {
  const wide = wideEncoding(bytes, encoding);
  if (wide === undefined) {
    const end = Math.max(bytes.lastIndexOf(0x0a), bytes.lastIndexOf(0x0d));
    return end < 0 ? bytes : bytes.subarray(0, end + 1);
  }
  const lineFeed = wide === "utf-16le" ? [0x0a, 0] : [0, 0x0a];
  for (let at = bytes.length - (bytes.length % 2) - 2; at >= 0; at -= 2)
    if (bytes[at] === lineFeed[0] && bytes[at + 1] === lineFeed[1]) return bytes.subarray(0, at + 2);
  return bytes.subarray(0, bytes.length - (bytes.length % 2));
}

function wideEncoding(bytes: Buffer, encoding: string | undefined): "utf-16le" | "utf-16be" | undefined {
  if (encoding === "utf-16le" || encoding === "utf-16be") return encoding;
  if (encoding !== undefined) return undefined;
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return "utf-16le";
  return bytes[0] === 0xfe && bytes[1] === 0xff ? "utf-16be" : undefined;
}
