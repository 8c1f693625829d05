import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { FileScan, LocatedRecord, RejectedRow } from "../../engine/file-scan.ts";
import { DriverError } from "../../errors/driver-error.ts";
import type { SourceContext } from "../connector.ts";
import { shownName } from "../source-files.ts";
import { type FailedRow, RowFailure } from "./parse-rows.ts";

/** Where a row of a file is, by its number. */
export type PlaceOf = (ordinals: readonly number[]) => Promise<ReadonlyMap<number, Omit<LocatedRecord, "file">>>;

/** What people call one of the files of a scan, which may be a copy. */
export function shownPath({ paths, origins }: Pick<FileScan, "paths" | "origins">, index: number): string {
  const origin = paths.length === origins.length ? origins[index] : undefined;
  return origin ? shownName(origin) : (paths[index] ?? "");
}

/** Writes chunks into a file of the session's folder. */
export async function writeCopy(
  chunks: AsyncIterable<Uint8Array>,
  name: string,
  { workDirectory, signal }: Pick<SourceContext, "workDirectory" | "signal">,
): Promise<{ readonly path: string; readonly bytes: number }> {
  const path = join(workDirectory, name);
  const output = createWriteStream(path, { flags: "wx", mode: 0o600 });
  await pipeline(chunks, output, { signal });
  return { path, bytes: output.bytesWritten };
}

/** The error of a row that a parser could not take, with its place in the client's file. */
export async function placed(error: unknown, file: string, placeOf: PlaceOf): Promise<unknown> {
  if (!(error instanceof RowFailure)) return error;
  const { code, ordinal, column, value, reason } = error.row;
  const line = String((await placeOf([ordinal])).get(ordinal)?.line ?? 0);
  const inColumn = column === "" ? "" : `, column ${JSON.stringify(column)}`;
  return new DriverError(code, `${file}, line ${line}${inColumn}: ${reason}`, {
    metadata: { file, line, ...(column !== "" && { column, value }) },
    cause: error,
  });
}

/** Rows that were left out, with their places. */
export async function rejectedRows(
  samples: readonly FailedRow[],
  file: string,
  placeOf: PlaceOf,
): Promise<readonly RejectedRow[]> {
  if (samples.length === 0) return [];
  const places = await placeOf(samples.map(({ ordinal }) => ordinal));
  return samples.map(({ ordinal, column, reason, value }) => {
    const place = places.get(ordinal);
    return { file, line: place?.line ?? 0, column, reason, text: place?.text || value };
  });
}

/** The number of a row before others were left out; `skipped` are the numbers of those, in order. */
export function numberBefore(ordinal: number, skipped: readonly number[]): number {
  let number = ordinal;
  for (const left of skipped) {
    if (left > number) break;
    number++;
  }
  return number;
}
