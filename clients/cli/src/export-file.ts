import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { open, readlink, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, isAbsolute } from "node:path";
import type { ExportFormat, ExportOptions } from "../../node/src/index.ts";
import { UsageError } from "./usage-error.ts";

const endings: Readonly<Record<string, ExportFormat>> = {
  csv: "csv",
  tsv: "tsv",
  tab: "tsv",
  json: "json",
  jsonl: "jsonl",
  ndjson: "jsonl",
  xml: "xml",
  parquet: "parquet",
  parq: "parquet",
  arrow: "arrow",
  arrows: "arrow",
};

/** As many as Linux follows. */
const MAX_LINKS = 40;

const compressions: Readonly<Record<string, "gzip" | "zstd">> = { gz: "gzip", zst: "zstd" };

export const formats: readonly ExportFormat[] = ["csv", "tsv", "json", "jsonl", "xml", "parquet", "arrow"];

/** What a file's ending says of how it shall be written: `flights.csv.gz`. */
export function layoutOf(file: string): { format?: ExportFormat; compression?: ExportOptions["compression"] } {
  const parts = basename(file).toLowerCase().split(".").slice(1);
  const compression = compressions[parts.at(-1) ?? ""];
  const format = endings[parts.at(compression === undefined ? -1 : -2) ?? ""];
  return { ...(format && { format }), ...(compression && { compression }) };
}

/**
 * Writes bytes to a file that appears whole or not at all: they go into a file beside it, which is renamed at the end and removed
 * when something fails. A device or pipe is written into, since a file must not take its place.
 */
export async function writeWhole(file: string, source: AsyncIterable<Uint8Array>): Promise<void> {
  const present = await stat(file).catch(() => undefined);
  if (present?.isDirectory()) throw new UsageError(`${file} is a folder`);
  // What a link leads to is written, and the link stays.
  const target = await realpath(file).catch(() => (present === undefined ? behindLinks(file) : undefined));
  // Standard output by its name (`/dev/stdout`) may be a file that has no place any more.
  const hasPlace = target !== undefined && (present === undefined || present.isFile());
  if (!hasPlace) return writeInto(file, source, { flags: "w", shown: file });
  // Not joined: that would find a way where the system finds none (`missing/../file`).
  const part = `${dirname(target)}/.${basename(target)}.${process.pid}.part`;
  try {
    await writeInto(part, source, { flags: "wx", shown: file });
    await synced(part);
    await rename(part, target);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}

/** Where links lead at whose end nothing is yet. */
async function behindLinks(file: string, links = 0): Promise<string> {
  const link = links < MAX_LINKS ? await readlink(file).catch(() => undefined) : undefined;
  if (link === undefined) return file;
  return behindLinks(isAbsolute(link) ? link : `${dirname(file)}/${link}`, links + 1);
}

async function writeInto(
  path: string,
  source: AsyncIterable<Uint8Array>,
  { flags, shown }: { readonly flags: "w" | "wx"; readonly shown: string },
): Promise<void> {
  const stream = createWriteStream(path, { flags });
  await once(stream, "open").catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`${shown} can't be written: ${error.code}`);
  });
  // It may fail while nothing is being written, and is looked at with the next bytes.
  stream.on("error", () => undefined);
  try {
    for await (const bytes of source) {
      if (stream.errored) break;
      if (!stream.write(bytes)) await once(stream, "drain");
    }
  } finally {
    // It may have failed by itself, for example on a full disk.
    if (!stream.errored) await new Promise((resolve) => stream.end(resolve));
    stream.destroy();
  }
  if (stream.errored) throw stream.errored;
}

async function synced(file: string): Promise<void> {
  await using handle = await open(file, "r");
  await handle.sync();
}
