import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { DriverError } from "../../errors/driver-error.ts";
import { gunzip, isGzipError } from "../tar/gunzip.ts";
import { readTar, TarError } from "../tar/read-tar.ts";

/** What was found in a package's `.tgz`. */
export interface Tarball {
  /** `sha512-…` of its bytes. */
  readonly integrity: string;
  /** Its package.json; undefined where it has none. */
  readonly manifest: string | undefined;
}

const MAX_MANIFEST_BYTES = 4 * 2 ** 20;

/**
 * Reads a package's `.tgz`, called `shown`, to its end. npm itself passes over links and paths that leave the folder; one that has such
 * is not what its author made, so nothing of it is used. Throws PACKAGE_UNSAFE, PACKAGE_DAMAGED.
 */
export async function inspectTarball(
  path: string,
  shown: string,
  { signal }: { readonly signal: AbortSignal },
): Promise<Tarball> {
  const hash = createHash("sha512");
  let manifest: string | undefined;
  try {
    for await (const entry of readTar(gunzip(hashed(createReadStream(path, { signal }), hash), { signal }))) {
      if (entry.type === "other") throw unsafe(shown, `holds a link or device: ${JSON.stringify(entry.path)}`);
      if (leaves(entry.path)) throw unsafe(shown, `holds a path that leaves its folder: ${JSON.stringify(entry.path)}`);
      // npm takes the first folder of each path away, whatever it is called.
      if (!/^[^/]+\/package\.json$/.test(entry.path) || entry.bytes > MAX_MANIFEST_BYTES) continue;
      const pieces: Uint8Array[] = [];
      for await (const piece of entry.content) pieces.push(piece);
      manifest = Buffer.concat(pieces).toString("utf8");
    }
  } catch (error) {
    if (!(error instanceof TarError) && !isGzipError(error)) throw error;
    throw damaged(shown, `is no package: ${error instanceof Error ? error.message : error}`, error);
  }
  return { integrity: `sha512-${hash.digest("base64")}`, manifest };
}

async function* hashed(
  source: AsyncIterable<Buffer>,
  hash: { update(bytes: Uint8Array): unknown },
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of source) {
    hash.update(chunk);
    yield chunk;
  }
}

/** As any system would take it. */
function leaves(path: string): boolean {
  return /^([/\\]|[A-Za-z]:)/.test(path) || path.includes("\0") || path.split(/[/\\]/).includes("..");
}

function unsafe(shown: string, why: string): DriverError {
  return new DriverError("PACKAGE_UNSAFE", `${shown} ${why}`, { metadata: { package: shown } });
}

export function damaged(shown: string, why: string, cause?: unknown): DriverError {
  return new DriverError("PACKAGE_DAMAGED", `${shown} ${why}`, { metadata: { package: shown }, cause });
}
