import { DriverError } from "../../../errors/driver-error.ts";
import { chunksOf } from "../../byte-stream.ts";
import { findRecords, type RecordPlace } from "../../text/record-lines.ts";
import type { Connection } from "../connection.ts";
import { misfitsOf } from "./csv-misfits.ts";
import { type KnownScan, readCsvSql, recordSyntax } from "./csv-scan.ts";
import { csvComplaint } from "./engine-error.ts";

const MAX_NOTES = 1_000;

/** The first value that does not fit its declared type, as an error with its place; undefined when all fit. */
export async function typeMismatch(
  connection: Connection,
  scan: KnownScan,
  signal: AbortSignal,
): Promise<DriverError | undefined> {
  for (const file of scan.paths) {
    const [misfit] = await misfitsOf(connection, scan, { ordered: file }, 1, signal);
    if (!misfit) continue;
    const { ordinal, column, type, value, reason, isParsed } = misfit;
    const found = (await recordPlaces(scan, file, [misfit], [], signal)).byOrdinal.get(ordinal);
    const line = String(found?.line ?? 0);
    const shown = found?.file ?? file;
    return new DriverError(
      isParsed ? "VALUE_PARSER_FAILED" : "LOAD_TYPE_MISMATCH",
      `${shown}, line ${line}, column ${JSON.stringify(column)}: ${reason}`,
      {
        metadata: { file: shown, line, record: String(ordinal), column, value, type },
      },
    );
  }
  return undefined;
}

/** Where records are in the client's files: those that hold misfits, and those at which the reader noted something. */
export async function recordPlaces(
  scan: KnownScan,
  file: string,
  misfits: readonly { readonly ordinal: number }[],
  notes: readonly { readonly at: number }[],
  signal: AbortSignal,
): Promise<{
  readonly byOrdinal: ReadonlyMap<number, RecordPlace & { readonly file?: string }>;
  readonly rejected: readonly RecordPlace[];
}> {
  const ordinals = misfits.map(({ ordinal }) => ordinal);
  if (scan.locate) return { byOrdinal: await scan.locate(file, ordinals, { signal }), rejected: [] };
  return findRecords(file, { ordinals, rejectedAt: notes.map(({ at }) => at) }, recordSyntax(scan), { signal });
}

/**
 * An error about a row that can't be split, with the line on which the row begins: DuckDB's message counts records. The
 * files are read once more to note the byte at which it lies.
 */
export async function withLine(
  connection: Connection,
  scan: KnownScan,
  error: DriverError,
  signal: AbortSignal,
): Promise<DriverError> {
  if (error.reason === "MALFORMED_CSV" && error.metadata.line === undefined)
    return (await mixedLineEnds(scan, error, signal)) ?? error;
  // What has another cause than the engine's words has its line already.
  if (error.metadata.line === undefined || error.cause === undefined) return error;
  for (const [index, file] of scan.paths.entries()) {
    const tables = { errors: `line_errors_${index}`, scans: `line_scans_${index}`, limit: MAX_NOTES };
    const one = { ...scan, paths: [file] };
    await connection.run(`SELECT count(*) FROM ${readCsvSql(one, { rejects: tables })}`, [], { signal });
    const noted = await connection.run(
      `SELECT line_byte_position - 1, error_message FROM ${tables.errors} ORDER BY 1 LIMIT 1`,
      [],
      { signal },
    );
    const [row] = await noted.getRows();
    if (!row) continue;
    const wanted = { ordinals: [], rejectedAt: [Number(row[0])] };
    const [place] = (await findRecords(file, wanted, recordSyntax(scan), { signal })).rejected;
    if (!place) continue;
    const line = String(place.line);
    return new DriverError(error.reason, `${file}, line ${line}: ${csvComplaint(String(row[1]))}`, {
      metadata: { file, line },
      cause: error,
    });
  }
  return error;
}

/** The first line that ends in another way than the first one: what DuckDB can't read, and does not name. */
async function mixedLineEnds(
  scan: KnownScan,
  cause: DriverError,
  signal: AbortSignal,
): Promise<DriverError | undefined> {
  const expected = scan.csv?.newline ?? "\n";
  for (const file of scan.paths) {
    const line = await otherLineEnd(file, expected, signal);
    if (line === undefined) continue;
    return new DriverError(
      "MALFORMED_CSV",
      `${file}, line ${line}: it does not end in ${JSON.stringify(expected)} like the lines before it`,
      { metadata: { file, line: String(line) }, cause },
    );
  }
  return undefined;
}

const CR = 13;
const LF = 10;

async function otherLineEnd(file: string, expected: string, signal: AbortSignal): Promise<number | undefined> {
  let line = 1;
  let previous = 0;
  for await (const chunk of chunksOf(file, { signal })) {
    for (const byte of chunk) {
      const isOther =
        expected === "\r\n" ? (byte === LF) !== (previous === CR) : byte === (expected === "\n" ? CR : LF);
      if (isOther && (byte === LF || byte === CR || previous === CR)) return line;
      if (byte === expected.charCodeAt(expected.length - 1)) line++;
      previous = byte;
    }
  }
  return undefined;
}
