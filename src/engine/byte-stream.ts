import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { DriverError } from "../errors/driver-error.ts";

const CHUNK_BYTES = 256 * 1024;

/** Whether the file's ending says that it is compressed. */
export function isCompressed(path: string): boolean {
  return /\.(gz|zst)$/i.test(path);
}

/** The file's bytes, decompressed where its ending says so. */
export function openBytes(path: string, signal: AbortSignal): Readable {
  const file = createReadStream(path, { highWaterMark: CHUNK_BYTES });
  if (!isCompressed(path)) return file;
  const plain = /\.gz$/i.test(path) ? createGunzip() : createZstdDecompress();
  const stop = () => plain.destroy(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  plain.once("close", () => {
    signal.removeEventListener("abort", stop);
    file.destroy();
  });
  file.once("error", (error) => plain.destroy(error));
  return file.pipe(plain);
}

/** The chunks of a file; a broken compression is SOURCE_TRUNCATED, a refused read SOURCE_UNREADABLE. */
export async function* chunksOf(path: string, { signal }: { signal: AbortSignal }): AsyncGenerator<Buffer> {
  signal.throwIfAborted();
  const stream = openBytes(path, signal);
  try {
    for await (const chunk of stream) {
      signal.throwIfAborted();
      yield chunk;
    }
  } catch (error) {
    signal.throwIfAborted();
    throw readError(path, error);
  } finally {
    stream.destroy();
  }
}

/** The first bytes of a file, and whether they are all of it. */
export async function firstBytes(
  path: string,
  limit: number,
  options: { signal: AbortSignal },
): Promise<{ bytes: Buffer; complete: boolean }> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const chunk of chunksOf(path, options)) {
    parts.push(chunk);
    size += chunk.length;
    if (size > limit) return { bytes: Buffer.concat(parts).subarray(0, limit), complete: false };
  }
  return { bytes: Buffer.concat(parts), complete: true };
}

/**
 * Reads compressed files to their ends. DuckDB takes a truncated gzip or zstd file for one that simply ends there (it
 * returned no row of a halved gzip, half of the rows of a halved zstd, and no error). `watch` sees each file's chunks pass by.
 */
export async function verifyCompressed(
  paths: readonly string[],
  { signal, watch }: { signal: AbortSignal; watch?: (path: string) => (chunk: Buffer) => void },
): Promise<void> {
  for (const path of paths) {
    if (!isCompressed(path)) continue;
    const see = watch?.(path);
    for await (const chunk of chunksOf(path, { signal })) see?.(chunk);
  }
}

function readError(path: string, error: unknown): DriverError {
  if (error instanceof DriverError) return error;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code.startsWith("Z_") || code.startsWith("ERR_ZSTD") || code.startsWith("ZSTD"))
    return new DriverError("SOURCE_TRUNCATED", `${path} is damaged or ends early: ${(error as Error).message}`, {
      metadata: { file: path },
      cause: error,
    });
  return new DriverError("SOURCE_UNREADABLE", `${path} can't be read: ${code || String(error)}`, {
    metadata: { file: path },
    cause: error,
  });
}
