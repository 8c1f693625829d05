import { DriverError } from "../../../errors/driver-error.ts";
import { findRecords } from "../../text/record-lines.ts";
import { MAX_ROW_BYTES } from "../../text/row-limit.ts";
import type { Connection } from "../connection.ts";
import { type KnownScan, recordSyntax } from "./csv-scan.ts";

/** The reader notes no more than this of a row. */
const NOTED_BYTES = 10_000;

const TOO_LONG = "error_type = 'LINE SIZE OVER MAXIMUM'";
/** Where the reader mistakes the row's beginning, as it does at the edges of its buffers, the fault lies behind the row it notes. */
const IS_ELSEWHERE = "byte_position - line_byte_position > strlen(csv_line)";
/** What a quote takes along may stand behind what is noted. */
const IS_CUT = `strlen(csv_line) >= ${NOTED_BYTES}`;
/** A broken quote that the row's only line shows is that row's alone. */
const HAS_BROKEN_QUOTE = `error_type IN ('UNQUOTED VALUE', 'INVALID STATE') AND (${IS_ELSEWHERE} OR ${IS_CUT}
  OR regexp_matches(trim(csv_line, chr(10) || chr(13)), '[\\r\\n]'))`;

/**
 * Throws UNTERMINATED_QUOTE or ROW_TOO_LONG where a statement has rejected a row that can't be skipped as one: a quote that is not
 * closed makes everything up to the next quote part of its row, and of a row longer than its buffers the reader finds another end
 * than there is.
 */
export async function requireSkippable(
  connection: Connection,
  scan: KnownScan,
  statement: string,
  signal: AbortSignal,
): Promise<void> {
  const result = await connection.run(
    `SELECT file_path, line_byte_position - 1, ${TOO_LONG}, ${IS_ELSEWHERE}, ${IS_CUT}
     FROM ${statement}_errors JOIN ${statement}_scans USING (scan_id, file_id)
     WHERE ${TOO_LONG} OR (${HAS_BROKEN_QUOTE}) ORDER BY file_id, line_byte_position LIMIT 1`,
    [],
    { signal },
  );
  const [row] = await result.getRows();
  if (row === undefined) return;
  const [file, at] = [String(row[0]), Number(row[1])];
  const [isTooLong, isElsewhere, isCut] = row.slice(2).map((value) => value === true);
  const wanted = { ordinals: [], rejectedAt: [at] };
  const [found] = (await findRecords(file, wanted, recordSyntax(scan), { signal })).rejected;
  const line = String(found?.line ?? 0);
  const place = { metadata: { file, line } };
  if (isTooLong)
    throw new DriverError(
      "ROW_TOO_LONG",
      `${file}, line ${line}: the row takes more than ${MAX_ROW_BYTES} bytes, and is not skipped`,
      place,
    );
  const what =
    isCut && !isElsewhere
      ? `a broken quote in a row of ${NOTED_BYTES} bytes or more may take`
      : "a quote that is not closed takes";
  throw new DriverError(
    "UNTERMINATED_QUOTE",
    `${file}, ${isElsewhere ? "below " : ""}line ${line}: ${what} what follows along, and is not skipped`,
    place,
  );
}
