import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";

/** What gzip has made smaller; throws Node's errors of zlib (`Z_DATA_ERROR`, `Z_BUF_ERROR`) where it is damaged or ends early. */
export async function* gunzip(
  source: AsyncIterable<Uint8Array>,
  { signal }: { readonly signal: AbortSignal },
): AsyncGenerator<Uint8Array, void, undefined> {
  const unzip = createGunzip();
  // Its error comes out of the iteration. Nobody waits for its end: a source may give neither bytes nor an end for long.
  pipeline(source, unzip, { signal }).catch(() => undefined);
  try {
    yield* unzip;
  } finally {
    unzip.destroy();
  }
}

export function isGzipError(error: unknown): boolean {
  return error instanceof Error && "code" in error && String(error.code).startsWith("Z_");
}
