import type { FileScan, ScanColumn } from "../../engine/file-scan.ts";
import { exchangeCsv } from "../../sources/exchange/dialect.ts";

/** A file in the exchange dialect; without a path, no rows. */
export function exchangeScan(columns: readonly ScanColumn[], path: string | undefined, bytes: number): FileScan {
  return {
    kind: "csv",
    paths: path === undefined ? [] : [path],
    totalBytes: bytes,
    csv: exchangeCsv,
    columns,
    badRows: { policy: "fail" },
    origins: [],
  };
}
