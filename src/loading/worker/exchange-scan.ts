import type { FileScan, ScanColumn } from "../../engine/file-scan.ts";
import { exchangeCsv } from "../../sources/exchange/dialect.ts";

/** What errors call the place of a row that was never in a file of the client's. Its line is its number. */
const ROWS = "the rows of the source";

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
