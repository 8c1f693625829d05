import { DriverError } from "../../errors/driver-error.ts";
import type { Reason } from "../../errors/reasons.ts";

const MAX_DETAIL = 500;
const PATH = /(?:[A-Za-z]:)?(?:\/[^\s"'`,;:()[\]{}]+){2,}/g;

/** How DuckDB's messages begin, and what they mean to someone who asks a question. */
const REASONS: readonly {
  readonly pattern: RegExp;
  readonly reason: Reason;
  readonly message?: string;
  readonly content?: string;
}[] = [
  {
    pattern: /max_temp_directory_size|temp_directory|No space left on device/i,
    reason: "SPILL_FULL",
    message: "the query's intermediate results do not fit into the spill folder",
  },
  {
    pattern: /^Out of Memory Error|std::bad_alloc|failed to (?:allocate|pin)/i,
    reason: "OUT_OF_MEMORY",
    message: "the query needs more memory than the engine may use",
  },
  {
    // What damaged footers and pages were seen to give.
    pattern:
      /^Serialization Error|^Invalid Error: (?:don't know what type|TProtocolException|invalid TType|Varint-decoding|Out of buffer)|^IO Error: Could not read enough bytes|^Invalid Input Error: (?:Failed to read file|No magic bytes|.*in Parquet file|.*file might be corrupt)/,
    reason: "SEGMENT_UNREADABLE",
    message: "a segment of the dataset can't be read",
    content: "damaged",
  },
  {
    pattern: /^(?:IO|Permission) Error|Invalid Input Error: .*Parquet/i,
    reason: "SEGMENT_UNREADABLE",
    message: "a segment of the dataset can't be read",
  },
  { pattern: /^(?:Parser|Binder|Catalog|Parameter Not Resolved|Parameter Not Allowed) Error/i, reason: "SQL_INVALID" },
  {
    pattern:
      /^(?:Conversion|Out of Range|Invalid Input|Invalid type|Mismatch Type|Divide by Zero|Decimal|Not implemented|Constraint|Sequence) Error/i,
    reason: "QUERY_FAILED",
  },
];

/**
 * Makes an error of the reading engine one of the catalogue. DuckDB's text is shown only where it speaks of the query's
 * values or names, its first line only (others quote the rendered SQL), and with paths left out.
 */
export function readError(error: unknown): DriverError {
  if (error instanceof DriverError) return error;
  if (!(error instanceof Error)) return DriverError.from(error);
  const rule = REASONS.find(({ pattern }) => pattern.test(error.message));
  if (!rule) return DriverError.from(error);
  const { reason, message = detail(error.message), content } = rule;
  return new DriverError(reason, message, { cause: error, ...(content !== undefined && { metadata: { content } }) });
}

function detail(message: string): string {
  const [line = ""] = message.split("\n");
  const text = line.replace(/^[A-Z][A-Za-z ]* Error: /, "").replaceAll(PATH, "…");
  const short = text.length > MAX_DETAIL ? `${text.slice(0, MAX_DETAIL)}…` : text;
  return short.charAt(0).toLowerCase() + short.slice(1).replace(/[.!]$/, "");
}
