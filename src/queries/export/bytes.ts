import { pipeline } from "node:stream/promises";
import { createGzip, createZstdCompress } from "node:zlib";
import type { Compression } from "./model.ts";

/** What a piece should have at least, so that small ones are not sent one by one, and at most. */
const MIN_PIECE_BYTES = 128 * 1024;
const MAX_PIECE_BYTES = 512 * 1024;

/** Compresses bytes, piece by piece, on other threads; asks for more only when what was made is read. */
export async function* compressed(
  source: AsyncIterable<Uint8Array>,
  compression: Compression,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (compression === "none") {
    yield* source;
    return;
  }
  const options = { chunkSize: 64 * 1024 };
  const stream = compression === "gzip" ? createGzip(options) : createZstdCompress(options);
  const piping = pipeline(source, stream);
  // The reader of the stream gets its error.
  piping.catch(() => undefined);
  try {
    for await (const chunk of stream) yield chunk as Buffer;
    await piping;
  } finally {
    stream.destroy();
    await piping.catch(() => undefined);
  }
}

/** The same bytes in pieces of a good size; what was given may be changed afterwards. */
export async function* pieces(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  let parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of source) {
    parts.push(chunk);
    bytes += chunk.length;
    if (bytes < MIN_PIECE_BYTES) continue;
    yield* cut(Buffer.concat(parts, bytes));
    parts = [];
    bytes = 0;
  }
  if (bytes > 0) yield* cut(Buffer.concat(parts, bytes));
}

function* cut(bytes: Uint8Array): Generator<Uint8Array, void, undefined> {
  for (let from = 0; from < bytes.length; from += MAX_PIECE_BYTES) {
    yield bytes.subarray(from, from + MAX_PIECE_BYTES);
  }
}
