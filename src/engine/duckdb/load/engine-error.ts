import { DriverError } from "../../../errors/driver-error.ts";
import type { FileScan } from "../../file-scan.ts";

const MAX_DETAIL = 500;

interface Rule {
  readonly pattern: RegExp;
  readonly make: (text: string, scan: FileScan, cause: unknown) => DriverError;
}

const CSV_REASONS = [
  { pattern: /Expected Number of Columns: (\d+) Found: (\d+)/, reason: "RAGGED_ROWS" },
  { pattern: /unterminated quote/i, reason: "UNTERMINATED_QUOTE" },
  { pattern: /Maximum line size/i, reason: "ROW_TOO_LONG" },
  { pattern: /Invalid unicode|not utf-8/i, reason: "SOURCE_ENCODING" },
] as const;

const RULES: readonly Rule[] = [
  {
    pattern: /invalid UTF-8/i,
    make: (text, scan, cause) =>
      new DriverError("SOURCE_ENCODING", `${fileOf(text, scan)}: not UTF-8`, {
        metadata: { file: fileOf(text, scan) },
        cause,
      }),
  },
  { pattern: /CSV Error on Line: (\d+)/, make: csvError },
  {
    pattern: /CSV Parser state machine|CSV file/i,
    make: (text, scan, cause) =>
      new DriverError(
        "MALFORMED_CSV",
        `${fileOf(text, scan)} does not follow the delimiter, quotes and line ends found at its beginning`,
        {
          metadata: { file: fileOf(text, scan) },
          cause,
        },
      ),
  },
  // What it says where a row is longer than its buffers and the next thread finds no beginning of one.
  { pattern: /does not support a full read on this file/, make: simple("ROW_TOO_LONG", "a row is too long") },
  // What notes of rejected rows fail by: they are cut after 10,000 bytes, be it within a character.
  {
    pattern: /Invalid unicode .* segment statistics/,
    make: simple("ROW_TOO_LONG", "a bad row is so long that it can't be noted, and is not skipped"),
  },
  { pattern: /not a GZIP|GZIP|zstd|ZSTD|decompress/i, make: simple("SOURCE_TRUNCATED", "its compression is damaged") },
  {
    pattern: /Malformed JSON|Invalid Input Error: JSON|JSON transform|Expected (top-level|object)|maximum_object_size/i,
    make: jsonError,
  },
  { pattern: /Out of Memory|OutOfMemory|failed to (allocate|pin)|could not allocate/i, make: memory },
  {
    pattern: /No space left|max_temp_directory_size|temporary directory/i,
    make: simple("DISK_FULL", "the disk for the load is full"),
  },
  {
    pattern: /Permission denied|Cannot open file|Could not read|Could not open/i,
    make: simple("SOURCE_UNREADABLE", "it can't be read"),
  },
  {
    pattern: /parquet|Thrift|magic bytes|footer|metadata/i,
    make: simple("MALFORMED_PARQUET", "it is no whole Parquet file"),
  },
];

/** Makes an error of DuckDB one of the catalogue, with the place where DuckDB tells it. */
export function engineError(error: unknown, scan: FileScan): DriverError {
  if (error instanceof DriverError) return error;
  const text = error instanceof Error ? error.message : String(error);
  const rule = RULES.find(({ pattern }) => pattern.test(text));
  return rule ? rule.make(text, scan, error) : DriverError.from(error);
}

/** What DuckDB's reader says about a row, as a reason in words. */
export function csvComplaint(message: string): string {
  const counts = /Expected Number of Columns: (\d+) Found: (\d+)/.exec(message);
  // Of a row that is too long, DuckDB counts no further than the first value too many.
  if (counts)
    return Number(counts[2]) > Number(counts[1])
      ? `more than the ${counts[1]} values that are expected`
      : `${counts[2]} of the ${counts[1]} values that are expected`;
  if (/unterminated quote/i.test(message)) return "a quoted value does not end, or text follows its closing quote";
  if (/Maximum line size/i.test(message)) return "the row is too long";
  if (/unicode|utf-8/i.test(message)) return "not UTF-8";
  return message.split("\n")[0]?.slice(0, MAX_DETAIL) ?? "";
}

function csvError(text: string, scan: FileScan, cause: unknown): DriverError {
  const line = /CSV Error on Line: (\d+)/.exec(text)?.[1] ?? "0";
  const file = fileOf(text, scan);
  const reason = CSV_REASONS.find(({ pattern }) => pattern.test(text))?.reason ?? "MALFORMED_CSV";
  return new DriverError(reason, `${file}, line ${line}: ${csvComplaint(detailOf(text))}`, {
    metadata: { file, line },
    cause,
  });
}

/** DuckDB's text below "Original Line: …", which may hold anything. */
function detailOf(text: string): string {
  const complaints = [
    /Expected Number of Columns: \d+ Found: \d+/,
    /Value with unterminated quote found/,
    /Maximum line size[^\n]*/,
    /Invalid unicode[^\n]*/,
  ];
  for (const complaint of complaints) {
    const match = complaint.exec(text);
    if (match) return match[0];
  }
  return text;
}

function fileOf(text: string, scan: FileScan): string {
  const named =
    /^ *file ?= ?(.+)$/m.exec(text)?.[1]?.trim() ?? /(?:file|stream:) "?([^"\n]+?)"?(?:[,:.]?\s|$)/.exec(text)?.[1];
  if (named !== undefined && scan.paths.includes(named)) return named;
  return scan.paths.find((path) => text.includes(path)) ?? scan.paths.join(", ");
}

function simple(
  reason: "ROW_TOO_LONG" | "SOURCE_TRUNCATED" | "DISK_FULL" | "SOURCE_UNREADABLE" | "MALFORMED_PARQUET",
  words: string,
) {
  return (text: string, scan: FileScan, cause: unknown): DriverError => {
    const file = fileOf(text, scan);
    return new DriverError(reason, `${file}: ${words}`, { metadata: { file }, cause });
  };
}

function memory(text: string, scan: FileScan, cause: unknown): DriverError {
  return new DriverError(
    "LOAD_OUT_OF_MEMORY",
    `loading ${fileOf(text, scan)} needs more memory than the loader may use`,
    { cause },
  );
}

function jsonError(text: string, scan: FileScan, cause: unknown): DriverError {
  const file = fileOf(text, scan);
  const line = /(?:line|record\/value|record) (\d+)/i.exec(text)?.[1] ?? "0";
  const detail = (/(Malformed JSON|JSON transform error|Expected)[^\n]*/.exec(text)?.[0] ?? text)
    .slice(0, MAX_DETAIL)
    .replaceAll(file, "the file");
  return new DriverError("MALFORMED_JSON", `${file}, line ${line}: ${detail}`, { metadata: { file, line }, cause });
}
