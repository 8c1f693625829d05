import { DriverError } from "../../../errors/driver-error.ts";
import { firstBytes } from "../../byte-stream.ts";
import type { WriteOptions } from "../../engine.ts";
import type {
  FileScan,
  JsonScanOptions,
  RejectedRow,
  ScanColumn,
  SniffResult,
  WrittenSegments,
} from "../../file-scan.ts";
import { chooseType, exactnessNote, type TextStats } from "../../text/infer-type.ts";
import { uniqueNames } from "../../text/unique-names.ts";
import type { Connection } from "../connection.ts";
import { quoteIdentifier, quoteLiteral } from "../quoting.ts";
import { type ColumnSql, columnSql, type TextFormats } from "./column-sql.ts";
import { exactStats, type Run, type TextColumn, TIME_TYPES } from "./column-stats.ts";
import { type KnownScan, keptColumns, neededColumns, textName, valueName } from "./csv-scan.ts";
import { engineError } from "./engine-error.ts";
import { brokenJsonLine } from "./json-place.ts";
import { hasClash, isLongNumber, type JsonStructure, typeOfStructure } from "./json-structure.ts";
import { filterSql, limitSql } from "./rows-sql.ts";
import { parserComplaint } from "./value-parsers.ts";
import { writeSelect } from "./write-segments.ts";

const MAX_OBJECT_BYTES = 16 * 1024 * 1024;
const PEEK_BYTES = 64 * 1024;
const MAX_SAMPLES = 100;

type Layout = "array" | "newline_delimited" | "unstructured";

/** Types that `read_json` converts without loss once the structure of the whole file is known; others are read as text. */
const NATIVE = /^(BIGINT|UBIGINT|DOUBLE|BOOLEAN|STRUCT|.*\[\])/;

/** Finds the structure of all records, not of the first ones: JSON has no header that would say what comes later. */
export async function sniffJson(
  connection: Connection,
  scan: FileScan,
  { signal }: { signal: AbortSignal },
): Promise<SniffResult> {
  try {
    const paths: string[] = [];
    const warnings: string[] = [];
    let layout: Layout | undefined;
    for (const path of scan.paths) {
      const found = await layoutOf(path, scan.json?.layout ?? "auto", signal);
      if (found === undefined) warnings.push(`${path} is empty and was left out`);
      else paths.push(path);
      layout = layout === undefined || layout === found || found === undefined ? (layout ?? found) : mixed(path);
    }
    if (layout === undefined) throw empty(scan);
    const plainPaths = scan.json?.plainPaths ?? scan.paths;
    const known: FileScan = { ...scan, paths, json: { ...scan.json, layout: LAYOUTS[layout], plainPaths } };
    const columns = await columnsOf(connection, known, layout, warnings, signal);
    return { scan: { ...known, columns: columns.columns, rowBytes: columns.rowBytes }, warnings };
  } catch (error) {
    signal.throwIfAborted();
    throw await placed(engineError(error, scan), scan, signal);
  }
}

const LAYOUTS = { array: "array", newline_delimited: "newline", unstructured: "auto" } as const;

function layoutIn(scan: FileScan): Layout {
  const layout = scan.json?.layout ?? "newline";
  return layout === "array" ? "array" : layout === "newline" ? "newline_delimited" : "unstructured";
}

function mixed(path: string): never {
  throw new DriverError(
    "SCHEMA_MISMATCH",
    `${path}: an array in one file and lines in another can't be read together`,
    {
      metadata: { file: path },
    },
  );
}

function empty(scan: FileScan): DriverError {
  return new DriverError("EMPTY_SOURCE", `${scan.paths.join(", ")} holds no records`, {
    metadata: { file: scan.paths[0] ?? "" },
  });
}

/** An array starts with a bracket; objects are one to a line unless the first line is not a whole one. */
async function layoutOf(
  path: string,
  wanted: JsonScanOptions["layout"],
  signal: AbortSignal,
): Promise<Layout | undefined> {
  const { bytes, complete } = await firstBytes(path, PEEK_BYTES, { signal });
  if (bytes.includes(0))
    throw new DriverError("SOURCE_BINARY", `${path} is not text: byte ${bytes.indexOf(0)} is zero`, {
      metadata: { file: path },
    });
  const text = bytes
    .toString("utf8")
    .replace(/^\uFEFF/, "")
    .trimStart();
  if (text === "" && complete) return undefined;
  if (wanted === "array") return "array";
  if (wanted === "newline") return "newline_delimited";
  if (text.startsWith("[")) return "array";
  const end = text.indexOf("\n");
  if (end < 0) return "newline_delimited";
  try {
    JSON.parse(text.slice(0, end));
    return "newline_delimited";
  } catch {
    // A first line that opens an object and goes on below is a document over several lines; else the line is what is wrong.
    return /^\{\s*$/.test(text.slice(0, end)) ? "unstructured" : "newline_delimited";
  }
}

async function columnsOf(
  connection: Connection,
  scan: FileScan,
  layout: Layout,
  warnings: string[],
  signal: AbortSignal,
): Promise<{ columns: readonly ScanColumn[]; rowBytes: number }> {
  const quoted = await structureOf(connection, scan, scan.paths, layout, signal);
  const rewritten = scan.json?.plainPaths?.some((path) => !scan.paths.includes(path)) ?? false;
  const plain = rewritten ? await structureOf(connection, scan, scan.json?.plainPaths ?? [], layout, signal) : quoted;
  const keys = Object.keys(quoted.structure);
  if (keys.length === 0) throw empty(scan);
  const names = uniqueNames(keys);
  const columns = keys.map((key, index): ScanColumn => {
    const name = names[index] ?? key;
    const declared = scan.declaredTypes?.[name];
    if (declared !== undefined) return { name, sourceName: key, type: declared, origin: "declared" };
    const own = quoted.structure[key] ?? "VARCHAR";
    const type = isLongNumber(plain.structure[key], own) ? "VARCHAR" : typeOfStructure(own, plain.structure[key]);
    if (own === "JSON" && type === "VARCHAR" && !isLongNumber(plain.structure[key], own))
      warnings.push(`column ${JSON.stringify(name)}: it holds values of different kinds and is read as text`);
    return { name, sourceName: key, type, origin: "inferred" };
  });
  const long = new Set(keys.filter((key) => isLongNumber(plain.structure[key], quoted.structure[key] ?? "")));
  const typed = await typeTexts(connection, { ...scan, columns }, long, warnings, signal);
  return { columns: typed, rowBytes: quoted.rowBytes };
}

async function structureOf(
  connection: Connection,
  scan: FileScan,
  paths: readonly string[],
  layout: Layout,
  signal: AbortSignal,
): Promise<{ structure: Readonly<Record<string, JsonStructure>>; rowBytes: number }> {
  const result = await connection.run(
    `SELECT json_group_structure(json)::VARCHAR, avg(strlen(json)) FROM ${objectsSql(paths, layout, scan.badRows.policy === "skip")}`,
    [],
    { signal },
  );
  const [row] = await result.getRows();
  const text = row?.[0];
  if (typeof text !== "string") throw empty(scan);
  const structure: unknown = JSON.parse(text);
  if (typeof structure !== "object" || structure === null || Array.isArray(structure))
    throw new DriverError("MALFORMED_JSON", `${paths.join(", ")}: the records are not all objects`, {
      metadata: { file: paths[0] ?? "" },
    });
  return { structure: structure as Readonly<Record<string, JsonStructure>>, rowBytes: Number(row?.[1] ?? 0) + 1 };
}

function objectsSql(paths: readonly string[], layout: Layout, ignoreErrors: boolean): string {
  const ignore = ignoreErrors && layout === "newline_delimited" ? ", ignore_errors=true" : "";
  return `read_json_objects([${paths.map(quoteLiteral).join(", ")}], format='${layout}', maximum_object_size=${MAX_OBJECT_BYTES}${ignore})`;
}

/** Columns of text: numbers that had to be quoted get an exact number type, dates and times theirs. */
async function typeTexts(
  connection: Connection,
  scan: KnownScan,
  long: ReadonlySet<string>,
  warnings: string[],
  signal: AbortSignal,
): Promise<readonly ScanColumn[]> {
  const texts = scan.columns.flatMap((column, index) =>
    column.origin === "inferred" && column.type === "VARCHAR" ? [{ column, index }] : [],
  );
  if (texts.length === 0) return scan.columns;
  const run = async (sql: string) => (await connection.run(sql, [], { signal })).getRows();
  const stats = await statsOfTexts(run, texts, long, sourceSql(scan));
  const types = new Map<number, string>();
  for (const [at, { column, index }] of texts.entries()) {
    const found = stats[at];
    if (!found) continue;
    const isNumber = long.has(column.sourceName);
    const type = chooseType(found);
    types.set(index, type);
    const note = isNumber ? exactnessNote(found, type) : undefined;
    if (note !== undefined) warnings.push(`column ${JSON.stringify(column.name)}: ${note}`);
  }
  return scan.columns.map((column, index) => ({ ...column, type: types.get(index) ?? column.type }));
}

const SAMPLE_ROWS = 2_000;

/** All about columns of long numbers; of other text, first what its beginning could be, then whether all of it is. */
async function statsOfTexts(
  run: Run,
  texts: readonly { readonly column: ScanColumn; readonly index: number }[],
  long: ReadonlySet<string>,
  source: string,
): Promise<readonly (TextStats | undefined)[]> {
  const columns = texts.map(
    ({ column, index }): TextColumn => ({
      text: textName(index),
      candidates: long.has(column.sourceName) ? "numbers" : TIME_TYPES,
    }),
  );
  const sample = await exactStats(run, columns, ".", `(SELECT * FROM ${source} LIMIT ${SAMPLE_ROWS})`);
  const wanted = columns.flatMap(({ text, candidates }, at): (TextColumn & { at: number })[] => {
    if (candidates === "numbers") return [{ at, text, candidates }];
    // A column that begins with NULLs shows nothing yet.
    const possible = candidates.filter((candidate) => sample[at]?.values === 0 || sample[at]?.[candidate]);
    const wider = possible.includes("date") ? [...possible, "timestamp" as const, "timestampNs" as const] : possible;
    return possible.length > 0 ? [{ at, text, candidates: [...new Set(wider)] }] : [];
  });
  const exact = wanted.length === 0 ? [] : await exactStats(run, wanted, ".", source);
  return texts.map((_, at) => exact[wanted.findIndex((entry) => entry.at === at)]);
}

/** The records as columns c0, c1, …, of their own types where those lose nothing, of text elsewhere. */
function sourceSql(scan: KnownScan): string {
  const layout = layoutIn(scan);
  const skip = scan.badRows.policy === "skip";
  const keys = scan.columns.map(({ sourceName }) => sourceName);
  const readType = (column: ScanColumn) =>
    column.origin === "inferred" && NATIVE.test(column.type) ? column.type : "VARCHAR";
  // With ignore_errors a malformed line becomes a row of NULLs: `json` tells it from an object without keys.
  if (skip || hasClash(keys)) {
    const columns = scan.columns.map((column, index) => {
      const value = `fields[${quoteLiteral(column.sourceName)}]`;
      const type = readType(column);
      return `${type === "VARCHAR" ? `(${value} ->> '$')` : `CAST(${value} AS ${type})`} AS ${textName(index)}`;
    });
    return `(SELECT json IS NOT NULL AS whole, ${columns.join(", ")} FROM
      (SELECT json, from_json(json, '"MAP(VARCHAR,JSON)"') AS fields FROM ${objectsSql(scan.paths, layout, skip)}))`;
  }
  const types = scan.columns.map((column) => `${quoteLiteral(column.sourceName)}: ${quoteLiteral(readType(column))}`);
  const names = scan.columns.map(({ sourceName }, index) => `${quoteIdentifier(sourceName)} AS ${textName(index)}`);
  const files = scan.paths.map(quoteLiteral).join(", ");
  return `(SELECT true AS whole, ${names.join(", ")} FROM read_json([${files}], format='${layout}', records=true,
    auto_detect=false, maximum_object_size=${MAX_OBJECT_BYTES}, hive_partitioning=false, columns={${types.join(", ")}}))`;
}

/** The SELECT of the good rows, and what it is made of. */
export function jsonSelect(scan: KnownScan): {
  readonly select: string;
  readonly from: string;
  readonly bad: string;
  readonly typed: Typed;
} {
  const kept = keptColumns(scan);
  const typed = textual(scan);
  const from = `(SELECT whole, ${neededColumns(scan)
    .map(({ index }) => withValue(index, typed))
    .join(", ")} FROM ${sourceSql(scan)})`;
  const outputs = kept.map(({ column, index }) => `${storedValue(index, typed)} AS ${quoteIdentifier(column.name)}`);
  const values = new Map(neededColumns(scan).map(({ column, index }) => [column.name, storedValue(index, typed)]));
  const wanted = filterSql(scan, (name) => values.get(name) ?? "NULL");
  const broken = [...typed.values()].map(({ violation }) => violation);
  const bad = `(${["NOT whole", ...broken].join(" OR ")}) IS TRUE`;
  const where = `WHERE NOT ${bad}${wanted === undefined ? "" : ` AND ${wanted}`}${limitSql(scan)}`;
  return { select: `SELECT ${outputs.join(", ")} FROM ${from} ${where}`, from, bad, typed };
}

/** Loads JSON whose columns are known. */
export async function writeJson(
  connection: Connection,
  scan: KnownScan,
  options: WriteOptions,
): Promise<WrittenSegments> {
  const { signal } = options;
  const skip = scan.badRows.policy === "skip";
  const { select, from, bad, typed } = jsonSelect(scan);
  const broken = [...typed.values()].map(({ violation }) => violation);
  const size = { totalBytes: scan.totalBytes, rowBytes: scan.rowBytes ?? 0, columns: keptColumns(scan).length };
  try {
    const rejected = skip || broken.length > 0 ? await rejectedRows(connection, scan, from, bad, typed, signal) : NONE;
    const written = await writeSelect(connection, select, size, options);
    const sourceBytes = scan.origins.reduce((total, { bytes }) => total + bytes, 0);
    return { ...written, sourceBytes, rejectedRows: rejected.rows, rejectedSamples: rejected.samples };
  } catch (error) {
    signal.throwIfAborted();
    throw await placed(engineError(error, scan), scan, signal);
  }
}

const NONE: { rows: number; samples: readonly RejectedRow[] } = { rows: 0, samples: [] };

type Typed = ReadonlyMap<number, ColumnSql & { readonly column: ScanColumn }>;

function textual(scan: KnownScan): Typed {
  const formats: TextFormats = {
    decimalSeparator: ".",
    dateFormat: scan.json?.dateFormat,
    timestampFormat: scan.json?.timestampFormat,
  };
  return new Map(
    neededColumns(scan).flatMap(({ column, index }) => {
      if (column.origin === "inferred" && NATIVE.test(column.type) && column.type !== "BIGINT") return [];
      const sql = columnSql(column, textName(index), valueName(index), formats, true);
      if (!sql || (column.origin === "inferred" && NATIVE.test(column.type))) return [];
      return [[index, { column, ...sql }] as const];
    }),
  );
}

function storedValue(index: number, typed: Typed): string {
  const entry = typed.get(index);
  return entry ? (entry.output ?? valueName(index)) : textName(index);
}

function withValue(index: number, typed: Typed): string {
  const entry = typed.get(index);
  return entry ? `${textName(index)}, ${entry.value} AS ${valueName(index)}` : textName(index);
}

/** Counts what does not fit before anything is written; without `skip` the first such value is the error. */
async function rejectedRows(
  connection: Connection,
  scan: KnownScan,
  from: string,
  bad: string,
  typed: Typed,
  signal: AbortSignal,
): Promise<{ rows: number; samples: readonly RejectedRow[] }> {
  const counted = await connection.run(`SELECT count(*) FROM ${from} WHERE ${bad}`, [], { signal });
  const rows = Number((await counted.getRows())[0]?.[0] ?? 0);
  if (rows === 0) return NONE;
  const max = scan.badRows.policy === "skip" ? scan.badRows.maxBadRows : undefined;
  const all = rows + (scan.rejected?.rows ?? 0);
  if (max !== undefined && all > max)
    throw new DriverError(
      "TOO_MANY_BAD_ROWS",
      `${all} rows are bad in ${scan.paths.join(", ")}; maxBadRows is ${max}`,
      {
        metadata: { rows: String(all), maxBadRows: String(max) },
      },
    );
  const samples = await samplesOf(connection, scan, typed, max === undefined ? 1 : MAX_SAMPLES, signal);
  const [first] = samples;
  if (max !== undefined || !first) return { rows, samples };
  const isParsed = scan.columns.some(({ name, parser }) => name === first.column && parser !== undefined);
  throw new DriverError(
    isParsed ? "VALUE_PARSER_FAILED" : "LOAD_TYPE_MISMATCH",
    `${first.file}, line ${first.line}, column ${JSON.stringify(first.column)}: ${first.reason}`,
    { metadata: { file: first.file, line: String(first.line), column: first.column, value: first.text } },
  );
}

/** The first bad records, file by file. Their ordinal is their line where each record has its own. */
async function samplesOf(
  connection: Connection,
  scan: KnownScan,
  typed: Typed,
  limit: number,
  signal: AbortSignal,
): Promise<readonly RejectedRow[]> {
  const entries = [...typed];
  const which = entries.map(([, { violation }], at) => `WHEN ${violation} THEN ${at}`);
  const cases = ["WHEN NOT whole THEN -1", ...which].join(" ");
  const texts = entries.map(([index], at) => `WHEN ${at} THEN ${textName(index)}`).join(" ");
  const values = entries.map(([index, { value }]) => `, ${textName(index)}, ${value} AS ${valueName(index)}`).join("");
  const samples: RejectedRow[] = [];
  for (const path of scan.paths) {
    const sql = `SELECT ordinal, misfit, CASE misfit WHEN -1 THEN '' ${texts} END FROM
      (SELECT *, CASE ${cases} END AS misfit FROM
        (SELECT row_number() OVER () AS ordinal, whole${values} FROM ${sourceSql({ ...scan, paths: [path] })}))
      WHERE misfit IS NOT NULL ORDER BY ordinal LIMIT ${limit - samples.length}`;
    const rows = await (await connection.run(sql, [], { signal })).getRows();
    for (const [ordinal, at, value] of rows) {
      const [index, { column } = {}] = entries[Number(at)] ?? [];
      const text = String(value ?? "").slice(0, 1_000);
      const raw = value === null ? null : String(value);
      const reason = column?.parser
        ? await parserComplaint(connection, column, textName(index ?? 0), raw, { signal })
        : column
          ? `${JSON.stringify(text)} is no ${column.type}`
          : "not JSON";
      const place = (await scan.locate?.(path, [Number(ordinal)], { signal }))?.get(Number(ordinal));
      const line = layoutIn(scan) === "newline_delimited" ? (place?.line ?? Number(ordinal)) : 0;
      samples.push({ file: place?.file ?? path, line, column: column?.name ?? "", reason, text });
    }
    if (samples.length >= limit) break;
  }
  return samples;
}

/** DuckDB counts lines of buffers, not of the file; the first broken line is looked for once more. */
async function placed(error: DriverError, scan: FileScan, signal: AbortSignal): Promise<DriverError> {
  if (error.reason !== "MALFORMED_JSON") return error;
  for (const path of scan.paths) {
    const place = await brokenJsonLine(path, { signal });
    if (place === undefined) continue;
    return new DriverError(
      "MALFORMED_JSON",
      `${path}, line ${place.line}, column ${place.column}: ${place.complaint}`,
      {
        metadata: { file: path, line: String(place.line), column: String(place.column) },
        cause: error,
      },
    );
  }
  return error;
}
