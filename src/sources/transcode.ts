import { createWriteStream } from "node:fs";
import { open } from "node:fs/promises";
import { basename, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { chunksOf, isCompressed } from "../engine/byte-stream.ts";
import type { FileOrigin } from "../engine/file-scan.ts";
import { DriverError } from "../errors/driver-error.ts";

/** What the engine reads in the place of the client's files. */
export interface ReadableFiles {
  readonly paths: readonly string[];
  readonly totalBytes: number;
}

export interface TranscodeContext {
  readonly workDirectory: string;
  readonly signal: AbortSignal;
}

/**
 * Makes UTF-8 copies of files in another encoding. The engine's own decoders fail on what the Encoding Standard allows
 * (UTF-16 with surrogates, big-endian, windows-1252's euro sign), so it never gets anything but UTF-8.
 */
export async function toUtf8(
  origins: readonly FileOrigin[],
  encoding: string | undefined,
  context: TranscodeContext,
): Promise<ReadableFiles> {
  const paths: string[] = [];
  let totalBytes = 0;
  for (const [index, origin] of origins.entries()) {
    const from = encoding ?? (await markedEncoding(origin.path));
    if (from === "utf-8") {
      paths.push(origin.path);
      totalBytes += origin.bytes;
      continue;
    }
    const target = join(context.workDirectory, `${index}-${plainName(origin.path)}`);
    totalBytes += await transcode(origin.path, target, from, context.signal);
    paths.push(target);
  }
  return { paths, totalBytes };
}

/** The file's name without the ending of its compression: the copy is plain. */
export function plainName(path: string): string {
  const name = basename(path);
  return isCompressed(name) ? name.replace(/\.[^.]+$/, "") : name;
}

/** UTF-16 says by its first two bytes that it is; anything else has to be UTF-8 unless the option says otherwise. */
async function markedEncoding(path: string): Promise<"utf-8" | "utf-16le" | "utf-16be"> {
  if (isCompressed(path)) return "utf-8";
  const file = await open(path, "r");
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(2), 0, 2, 0);
    if (bytesRead < 2) return "utf-8";
    if (buffer[0] === 0xff && buffer[1] === 0xfe) return "utf-16le";
    return buffer[0] === 0xfe && buffer[1] === 0xff ? "utf-16be" : "utf-8";
  } catch (error) {
    throw new DriverError("SOURCE_UNREADABLE", `${path} can't be read: ${(error as Error).message}`, {
      metadata: { file: path },
      cause: error,
    });
  } finally {
    await file.close();
  }
}

async function transcode(path: string, target: string, encoding: string, signal: AbortSignal): Promise<number> {
  const output = createWriteStream(target, { flags: "wx", mode: 0o600 });
  await pipeline(decoded(path, encoding, signal), output, { signal });
  return output.bytesWritten;
}

async function* decoded(path: string, encoding: string, signal: AbortSignal): AsyncGenerator<Buffer> {
  const decoder = new TextDecoder(encoding, { fatal: true });
  let line = 1;
  const decode = (chunk?: Buffer): string => {
    try {
      return chunk ? decoder.decode(chunk, { stream: true }) : decoder.decode();
    } catch (error) {
      throw new DriverError("SOURCE_ENCODING", `${path}, after line ${line}: not ${encoding}`, {
        metadata: { file: path, line: String(line), encoding },
        cause: error,
      });
    }
  };
  for await (const chunk of chunksOf(path, { signal })) {
    const text = decode(chunk);
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) line++;
    yield Buffer.from(text);
  }
  yield Buffer.from(decode());
}
