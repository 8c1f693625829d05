import { once } from "node:events";
import { constants, createWriteStream, openSync } from "node:fs";
import { open, readlink, realpath, rename, rm, stat } from "node:fs/promises";
import { Socket } from "node:net";
import { basename, dirname, isAbsolute } from "node:path";
import { addAbortSignal, type Writable } from "node:stream";
import { setTimeout } from "node:timers/promises";
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

/** How often is looked whether a pipe has a reader. */
const POLL_MS = 50;
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
export async function writeWhole(
  file: string,
  source: AsyncIterable<Uint8Array>,
  options: { readonly signal: AbortSignal },
): Promise<void> {
  const present = await stat(file).catch(() => undefined);
  if (present?.isDirectory()) throw new UsageError(`${file} is a folder`);
  // What a link leads to is written, and the link stays.
  const target = await realpath(file).catch(() => (present === undefined ? behindLinks(file) : undefined));
  // Standard output by its name (`/dev/stdout`) may be a file that has no place any more.
  const hasPlace = target !== undefined && (present === undefined || present.isFile());
  if (present?.isFIFO()) return writeAll(await openPipe(file, options), source);
  if (!hasPlace) return writeAll(await openFile(file, "w", file), source);
  // Not joined: that would find a way where the system finds none (`missing/../file`).
  const part = `${dirname(target)}/.${basename(target)}.${process.pid}.part`;
  try {
    await writeAll(await openFile(part, "wx", file), source);
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

async function openFile(path: string, flags: "w" | "wx", shown: string): Promise<Writable> {
  const stream = createWriteStream(path, { flags });
  await once(stream, "open").catch((error: unknown) => {
    throw unwritable(shown, error);
  });
  return stream;
}

/** Opens a pipe once somebody reads it. A thread that waited for that in the system would keep the command from ending. */
async function openPipe(path: string, { signal }: { readonly signal: AbortSignal }): Promise<Writable> {
  for (;;) {
    try {
      const fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
      return addAbortSignal(signal, new Socket({ fd, readable: false, writable: true }));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENXIO") throw unwritable(path, error);
    }
    await setTimeout(POLL_MS, undefined, { signal });
  }
}

function unwritable(file: string, error: unknown): UsageError {
  return new UsageError(`${file} can't be written: ${(error as NodeJS.ErrnoException).code}`);
}

async function writeAll(stream: Writable, source: AsyncIterable<Uint8Array>): Promise<void> {
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
