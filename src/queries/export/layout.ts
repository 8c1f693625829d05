import { DriverError } from "../../errors/driver-error.ts";
import type { Compression, ExportLayout } from "./model.ts";

/** The compression that counts. Throws INVALID_REQUEST where the layout says something that its format doesn't have. */
export function checkLayout({ format, ...layout }: ExportLayout): Compression {
  const isDelimited = format === "csv" || format === "tsv";
  for (const name of ["header", "delimiter", "nullText"] as const)
    if (layout[name] !== undefined && !isDelimited) throw invalid(name, `${format} has no ${words[name]}`);
  for (const name of ["root", "record"] as const)
    if (layout[name] !== undefined && format !== "xml") throw invalid(name, `${format} has no elements`);
  const { delimiter, nullText = "" } = layout;
  const counts = delimiter ?? (format === "tsv" ? "\t" : ",");
  if (delimiter !== undefined && ([...delimiter].length !== 1 || /["\r\n\0]/.test(delimiter)))
    throw invalid("delimiter", "must be one character, no quote and no line end");
  // It stands there without quotes.
  if (/["\r\n]/.test(nullText) || nullText.includes(counts))
    throw invalid("nullText", "must not hold quotes, line ends or the delimiter");
  if (format === "arrow" && (layout.compression ?? "none") !== "none")
    throw invalid("compression", "an Arrow stream is not compressed");
  return layout.compression ?? (format === "parquet" ? "zstd" : "none");
}

const words = { header: "header", delimiter: "delimiter", nullText: "text for NULL" } as const;
/** The fields as the contract calls them. */
const fields = {
  ...{ header: "header", delimiter: "delimiter", nullText: "null_text", compression: "compression" },
  ...{ root: "xml_root", record: "xml_record" },
} as const;

function invalid(name: keyof typeof fields, description: string): DriverError {
  const field = `layout.${fields[name]}`;
  return new DriverError("INVALID_REQUEST", `${field}: ${description}`, { violations: [{ field, description }] });
}
