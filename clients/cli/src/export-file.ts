import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { open, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
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
  // What a link leads to is written, and the link stays.
  const target = await realpath(file).catch(() => file);
  const present = await stat(target).catch(() => undefined);
  if (present?.isDirectory()) throw new UsageError(`${file} is a folder`);
  if (present !== undefined && !present.isFile()) return writeInto(target, source, { flags: "w", shown: file });
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
