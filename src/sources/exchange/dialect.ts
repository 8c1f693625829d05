import type { CsvScanOptions } from "../../engine/file-scan.ts";

/** How rows travel from connectors to the engine as text: NULL is an empty field without quotes, an empty text has them. */
export const exchangeCsv: CsvScanOptions = {
  delimiter: ",",
  quote: '"',
  escape: '"',
  header: false,
  newline: "\n",
  quotedNulls: false,
};
