import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";

/** What gzip has made smaller; throws Node's errors of zlib (`Z_DATA_ERROR`, `Z_BUF_ERROR`) where it is damaged or ends early. */
export async function* gunzip(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const unzip = createGunzip();
  // Its error comes out of the iteration.
  const feeding = pipeline(source, unzip).catch(() => undefined);
  try {
    yield* unzip;
  } finally {
    unzip.destroy();
    await feeding;
  }
}

export function isGzipError(error: unknown): boolean {
  return error instanceof Error && "code" in error && String(error.code).startsWith("Z_");
}
