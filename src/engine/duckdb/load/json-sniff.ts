import { DriverError } from "../../../errors/driver-error.ts";
import { firstBytes } from "../../byte-stream.ts";
import type { FileScan, JsonScanOptions, ScanColumn, SniffResult } from "../../file-scan.ts";
import { chooseType, exactnessNote, type TextStats } from "../../text/infer-type.ts";
import { uniqueNames } from "../../text/unique-names.ts";
import type { Connection } from "../connection.ts";
import { exactStats, type Run, type TextColumn, TIME_TYPES } from "./column-stats.ts";
import { type KnownScan, textName } from "./csv-scan.ts";
import { engineError } from "./engine-error.ts";
import { placed } from "./json-place.ts";
import { type Layout, objectsSql, sourceSql } from "./json-scan.ts";
import { isLongNumber, type JsonStructure, typeOfStructure } from "./json-structure.ts";

const PEEK_BYTES = 64 * 1024;

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
