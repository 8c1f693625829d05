import type { FileScan, ScanColumn } from "../../engine/file-scan.ts";
import { exchangeCsv } from "../../sources/exchange/dialect.ts";
import { ShownNames } from "../../sources/shown-names.ts";

/** What errors call the place of a row that was never in a file of the client's. Its line is its number. */
const ROWS = "the rows of the source";

/** Puts that in the place of the files' paths, which no client knows. */
export function exchangeNames(paths: readonly string[]): ShownNames {
  const origins = paths.map((path) => ({ path, shownAs: ROWS, bytes: 0, modifiedNs: 0n, inode: 0n }));
  return new ShownNames({ paths, origins });
}

/** A file in the exchange dialect; without a path, no rows. `before` rows came before those in it. */
export function exchangeScan(
  columns: readonly ScanColumn[],
  path: string | undefined,
  bytes: number,
  before = 0,
): FileScan {
  return {
    kind: "csv",
    paths: path === undefined ? [] : [path],
    totalBytes: bytes,
    csv: exchangeCsv,
    columns,
    badRows: { policy: "fail" },
    origins: [],
    locate: async (_, ordinals) =>
      new Map(ordinals.map((ordinal) => [ordinal, { file: ROWS, line: before + ordinal, text: "" }])),
  };
}
