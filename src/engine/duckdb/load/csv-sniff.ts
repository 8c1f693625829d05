import { open } from "node:fs/promises";
import { DriverError } from "../../../errors/driver-error.ts";
import { firstBytes } from "../../byte-stream.ts";
import type { FileScan, ScanColumn, SniffResult } from "../../file-scan.ts";
import { type CsvSample, sniffCsv } from "../../text/csv-dialect.ts";
import { chooseType, exactnessNote, statsOf } from "../../text/infer-type.ts";
import { uniqueNames } from "../../text/unique-names.ts";
import type { Connection } from "../connection.ts";
import { quoteLiteral } from "../quoting.ts";
import type { KnownScan } from "./csv-scan.ts";

const SAMPLE_BYTES = 256 * 1024;
/** Enough to tell types, and some milliseconds of the event loop. */
const MAX_TYPED_ROWS = 5_000;
/** A header of 2,000 long names must still fit. */
const HEADER_BYTES = 64 * 1024;

interface Sampled extends CsvSample {
  readonly path: string;
  readonly rowBytes: number;
}

/** The first rows of a scan that was sniffed, as texts, and whether they are all that the files hold. */
export async function csvBeginning(
  scan: FileScan,
  limit: number,
  signal: AbortSignal,
): Promise<{ readonly rows: readonly (readonly string[])[]; readonly complete: boolean }> {
  const [path, ...others] = scan.paths;
  if (path === undefined) return { rows: [], complete: true };
  const { bytes, complete } = await firstBytes(path, SAMPLE_BYTES, { signal });
  const whole = complete && !scan.cut;
  const { rows } = sniffCsv(new TextDecoder().decode(bytes, { stream: !whole }), whole, scan.csv ?? {});
  return { rows: rows.slice(0, limit), complete: whole && others.length === 0 && rows.length <= limit };
}

/** Reads the beginning of every file: the first one that has content tells dialect, names and types, the others must agree. */
export async function sniffCsvFiles(
  connection: Connection,
  scan: FileScan,
  { signal }: { signal: AbortSignal },
): Promise<SniffResult> {
  const { columns: known } = scan;
  if (known) return knownColumns(connection, { ...scan, columns: known }, signal);
  const warnings: string[] = [...(scan.warnings ?? [])];
  let first: Sampled | undefined;
  const paths: string[] = [];
  for (const path of scan.paths) {
    const sample = await sampleOf(path, first ? HEADER_BYTES : SAMPLE_BYTES, scan, first, signal);
    if (!sample) {
      warnings.push(`${path} is empty and was left out`);
      continue;
    }
    paths.push(path);
    if (first) requireSameLineEnds(first, sample);
    if (first) requireSameColumns(first, sample);
    first ??= sample;
  }
  if (!first) throw empty(scan.paths);
  const { rows } = first;
  const samples = (index: number) => rows.map((row) => row[index] ?? "");
  const columns = await withFormats(connection, columnsOf(first, scan, warnings), samples, scan, signal);
  const rowBytes = Math.max(first.rowBytes, await lastRowBytes(paths.at(-1) ?? first.path, signal));
  return {
    scan: { ...scan, paths, csv: first.csv, columns, rowBytes },
    warnings,
  };
}

/** What the connector knows of all rows, but for what is declared and what formats only the engine can read. */
async function knownColumns(connection: Connection, scan: KnownScan, signal: AbortSignal): Promise<SniffResult> {
  const declared = scan.columns.map((column): ScanColumn => {
    const type = scan.declaredTypes?.[column.name];
    if (type === undefined) return column;
    if (column.encoding !== undefined) throw notScalar(column, type);
    return { ...column, type, origin: "declared" };
  });
  const samples = (index: number) => scan.csv?.samples?.[index] ?? [];
  const columns = await withFormats(connection, declared, samples, scan, signal);
  return { scan: { ...scan, columns }, warnings: scan.warnings ?? [] };
}

function notScalar({ name, type: found }: ScanColumn, type: string): DriverError {
  return new DriverError("LOAD_TYPE_MISMATCH", `column ${JSON.stringify(name)} is ${found}, which can't be ${type}`, {
    metadata: { column: name, type },
  });
}

/**
 * Bytes of a row at the end of a file, where counters and dates have grown: from the beginning alone, progress would count more
 * rows than there are. 0 where the end can't be read without the rest.
 */
async function lastRowBytes(path: string, signal: AbortSignal): Promise<number> {
  signal.throwIfAborted();
  if (/\.(gz|zst)$/i.test(path)) return 0;
  await using file = await open(path);
  const { size } = await file.stat();
  const bytes = Buffer.alloc(Math.min(size, HEADER_BYTES));
  const { bytesRead } = await file.read(bytes, 0, bytes.length, size - bytes.length);
  const lines = bytes.subarray(0, bytesRead).toString("latin1").split("\n").length - 1;
  return lines > 1 ? bytesRead / lines : 0;
}

async function sampleOf(
  path: string,
  limit: number,
  scan: FileScan,
  first: Sampled | undefined,
  signal: AbortSignal,
): Promise<Sampled | undefined> {
  const { bytes, complete: ended } = await firstBytes(path, limit, { signal });
  const complete = ended && !scan.cut;
  if (bytes.includes(0))
    throw new DriverError("SOURCE_BINARY", `${path} is not text: byte ${bytes.indexOf(0)} is zero`, {
      metadata: { file: path },
    });
  // Where bad rows are skipped, one that is not UTF-8 is a bad row.
  const text = scan.badRows.policy === "skip" ? bytes.toString("utf8") : decode(path, bytes, complete);
  if (text.trim() === "") {
    if (complete) return undefined;
    throw new DriverError("MALFORMED_CSV", `${path} begins with ${limit} bytes of blank space`, {
      metadata: { file: path },
    });
  }
  const sample = sniffCsv(text, complete, first?.csv ?? scan.csv ?? {});
  const records = sample.rows.length + (sample.csv.header ? 1 : 0);
  return { ...sample, path, rowBytes: Math.max(1, bytes.length / Math.max(1, records)) };
}

function decode(path: string, bytes: Buffer, complete: boolean): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: !complete });
  } catch (error) {
    throw notUtf8(path, bytes, error);
  }
}

/** Names the first line that does not decode. */
function notUtf8(path: string, bytes: Buffer, cause: unknown): DriverError {
  const text = bytes.toString("utf8");
  const at = text.indexOf("\uFFFD");
  const line = text.slice(0, Math.max(at, 0)).split("\n").length;
  return new DriverError("SOURCE_ENCODING", `${path}, line ${line}: not UTF-8`, {
    metadata: { file: path, line: String(line) },
    cause,
  });
}

function empty(paths: readonly string[]): DriverError {
  return new DriverError("EMPTY_SOURCE", `${paths.join(", ")} is empty`, { metadata: { file: paths[0] ?? "" } });
}

/** The engine takes one line end for all files, and passes without a word over every row behind a header that ends otherwise. */
function requireSameLineEnds(first: Sampled, other: Sampled): void {
  const expected = first.csv.newline ?? "\n";
  if (other.lineEnd === undefined || other.lineEnd === expected) return;
  const [end, wanted] = [other.lineEnd, expected].map((each) => JSON.stringify(each));
  throw new DriverError("MALFORMED_CSV", `${other.path}: its lines end in ${end}, and in ${wanted} in ${first.path}`, {
    metadata: { file: other.path },
  });
}

function requireSameColumns(first: Sampled, other: Sampled): void {
  const metadata = { file: other.path };
  if (first.header.length !== other.header.length)
    throw new DriverError(
      "SCHEMA_MISMATCH",
      `${other.path} has ${other.header.length} columns, ${first.path} has ${first.header.length}`,
      { metadata },
    );
  const at = first.header.findIndex((name, index) => name.trim() !== other.header[index]?.trim());
  if (at >= 0)
    throw new DriverError(
      "SCHEMA_MISMATCH",
      `${other.path}, column ${at + 1}: named ${JSON.stringify(other.header[at])}, in ${first.path} ${JSON.stringify(first.header[at])}`,
      { metadata: { ...metadata, column: String(at + 1) } },
    );
}

function columnsOf(sample: Sampled, scan: FileScan, warnings: string[]): readonly ScanColumn[] {
  const nulls = new Set(["", ...(scan.csv?.nullStrings ?? [])]);
  const rows = sample.rows.slice(0, MAX_TYPED_ROWS);
  return uniqueNames(sample.header).map((name, index) => {
    const sourceName = sample.header[index] ?? "";
    const declared = scan.declaredTypes?.[name];
    if (declared !== undefined) return { name, sourceName, type: declared, origin: "declared" };
    const values = rows.map((row) => row[index] ?? "").filter((value) => !nulls.has(value));
    const stats = statsOf(values, sample.csv.decimalSeparator ?? ".");
    const type = chooseType(stats);
    const note = exactnessNote(stats, type);
    if (note !== undefined) warnings.push(`column ${JSON.stringify(name)}: ${note}`);
    return { name, sourceName, type, origin: "inferred" };
  });
}

const FORMAT_SAMPLES = 200;

/** Columns of text whose sampled values all have the given date or timestamp format. */
async function withFormats(
  connection: Connection,
  columns: readonly ScanColumn[],
  samples: (index: number) => readonly string[],
  scan: FileScan,
  signal: AbortSignal,
): Promise<readonly ScanColumn[]> {
  const { dateFormat, timestampFormat, nullStrings } = scan.csv ?? {};
  const nulls = new Set(["", ...(nullStrings ?? [])]);
  const fits = async (index: number, format: string | undefined): Promise<boolean> => {
    const values = samples(index).filter((value) => !nulls.has(value) && !value.includes("\0"));
    if (format === undefined || values.length === 0) return false;
    const list = values.slice(0, FORMAT_SAMPLES).map(quoteLiteral).join(", ");
    const sql = `SELECT bool_and(try_strptime(value, ${quoteLiteral(format)}) IS NOT NULL) FROM unnest([${list}]) AS t(value)`;
    const [row] = await (await connection.run(sql, [], { signal })).getRows();
    return row?.[0] === true;
  };
  const result: ScanColumn[] = [];
  for (const [index, column] of columns.entries()) {
    // With a format of its own, no column is taken for a date or time by the ISO forms.
    const open =
      column.origin !== "declared" && column.encoding === undefined && !["BOOLEAN", "DOUBLE"].includes(column.type);
    // What the sample shows of a format need not hold for all rows.
    const inferred = { ...column, origin: "inferred" } as const;
    if (open && (await fits(index, dateFormat))) result.push({ ...inferred, type: "DATE" });
    else if (open && (await fits(index, timestampFormat)))
      result.push({
        ...inferred,
        type: /%[zZ]/.test(timestampFormat ?? "") ? "TIMESTAMP WITH TIME ZONE" : "TIMESTAMP",
      });
    else if (isReformatted(column, dateFormat, timestampFormat)) result.push({ ...column, type: "VARCHAR" });
    else result.push(column);
  }
  return result;
}

function isReformatted(column: ScanColumn, dateFormat?: string, timestampFormat?: string): boolean {
  if (column.origin === "declared") return false;
  return (
    (column.type === "DATE" && dateFormat !== undefined) ||
    (column.type.startsWith("TIMESTAMP") && timestampFormat !== undefined)
  );
}
