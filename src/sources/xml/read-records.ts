import type { LoadProgress } from "../../engine/engine.ts";
import type { FileOrigin, FileScan, ScanColumn } from "../../engine/file-scan.ts";
import { chooseType, exactnessNote } from "../../engine/text/infer-type.ts";
import { DriverError } from "../../errors/driver-error.ts";
import { exchangeCsv } from "../exchange/dialect.ts";
import type { ParserSettings } from "../parsers/settings.ts";
import { findRecordPath, suggestionsOf } from "./find-path.ts";
import { type FlatColumn, FlatRecords } from "./flat-records.ts";
import { locateRecords } from "./locate.ts";
import { NestedRecords, type Shape, ShapeFinder, shapeRoot, typeOfMember } from "./nested-records.ts";
import type { XmlSettings } from "./options.ts";
import { parseSpooled } from "./parse-spooled.ts";
import { parseXml, type XmlHandler } from "./parse-xml.ts";
import { RecordFinder, type RecordHandler, type RecordPath } from "./record-path.ts";
import { Refusal } from "./refusal.ts";
import { RecordSpool } from "./spool.ts";

export interface ReadOptions {
  readonly signal: AbortSignal;
  readonly workDirectory: string;
  readonly parsers: ParserSettings | undefined;
  /** No more than these are read. */
  readonly maxRecords: number;
  readonly beginningBytes?: number | undefined;
  /** The last file is not all there. */
  readonly isCut?: boolean;
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
}

/** About how much of the time a load takes until the engine begins. */
const SHARE = 0.85;

/** A column as the records show it. */
interface FoundColumn {
  readonly column: ScanColumn;
  readonly samples: readonly string[];
  readonly note: string | undefined;
}

/**
 * Reads all records into files of the exchange dialect, which take about as much of the disk as the texts in the documents, and
 * says what they hold. The types of all values are known then, so the engine reads them without looking again.
 */
export async function readRecords(
  origins: readonly FileOrigin[],
  settings: XmlSettings,
  options: ReadOptions,
): Promise<FileScan> {
  const { path, warnings } = await findRecordPath(origins, settings, options);
  using spool = new RecordSpool(options.workDirectory);
  const sourceBytes = origins.reduce((total, { bytes }) => total + bytes, 0);
  const passes = settings.nested ? 2 : 1;
  let pass = 0;
  let isAll = true;
  const empty = new Set<string>();
  const walk = async (handler: RecordHandler) => {
    const done = pass++;
    isAll = await walkRecords(
      origins,
      path,
      handler,
      settings,
      options,
      (read) => {
        const fraction = (SHARE * (done + Math.min(1, read / Math.max(1, sourceBytes)))) / passes;
        const bytes = pass < passes ? 0 : Math.min(read, sourceBytes);
        options.onProgress?.({ fraction, rows: spool.rows, bytes });
      },
      (message) => empty.add(message),
    );
  };
  const found = settings.nested ? await readNested(walk, settings, spool) : await readFlat(walk, settings, spool);
  spool.end();
  if (spool.rows === 0) throw await noRecords(origins, path, settings, options);
  const { declaredTypes, keep, badRows, parsers, nullStrings: _, dateFormat, timestampFormat } = settings;
  const names = found.map(({ column }) => column.name);
  const totalBytes = spool.files.reduce((total, { bytes }) => total + bytes, 0);
  const notes = found.flatMap(({ column: { name }, note }) =>
    note === undefined ? [] : [`column ${JSON.stringify(name)}: ${note}`],
  );
  const scan: FileScan = {
    kind: "csv",
    paths: spool.files.map((file) => file.path),
    totalBytes,
    csv: {
      ...exchangeCsv,
      widths: spool.files.map(({ width }) => width),
      samples: found.map(({ samples }) => samples),
      ...(dateFormat !== undefined && { dateFormat }),
      ...(timestampFormat !== undefined && { timestampFormat }),
    },
    columns: found.map(({ column }) => column),
    keep: keep ?? names,
    ...(declaredTypes && { declaredTypes }),
    rowBytes: totalBytes / spool.rows,
    badRows,
    cut: !isAll,
    origins,
    before: { fraction: SHARE, rows: spool.rows, bytes: sourceBytes },
    locate: locateRecords(origins, path, spool.files, settings.encoding),
    warnings: [...warnings, ...empty, ...notes],
    ...(settings.recordPath === undefined && { foundOptions: { recordPath: path.text } }),
    ...(parsers.sql && { parsers: parsers.sql }),
  };
  return parsers.rows.size === 0 ? scan : parseSpooled(scan, parsers.rows, options);
}

type Walk = (handler: RecordHandler) => Promise<void>;

async function readFlat(walk: Walk, settings: XmlSettings, spool: RecordSpool): Promise<readonly FoundColumn[]> {
  const records = new FlatRecords({ ...settings, nulls: new Set(settings.nullStrings) }, spool);
  await walk(records);
  try {
    records.finish();
  } catch (error) {
    // No place is to blame: the last columns are those that were empty all along.
    if (!(error instanceof Refusal)) throw error;
    throw new DriverError(error.reason, error.message, { metadata: error.metadata, cause: error });
  }
  return records.columns.map(flatColumn);
}

function flatColumn({ name, facts, isList }: FlatColumn): FoundColumn {
  const stats = facts.stats();
  const type = chooseType(stats);
  const note = exactnessNote(stats, type);
  const common = { name, sourceName: name, origin: "exact" } as const;
  if (isList) return { column: { ...common, type: `${type}[]`, encoding: "list" }, samples: [], note };
  return { column: { ...common, type }, samples: facts.samples, note };
}

async function readNested(walk: Walk, settings: XmlSettings, spool: RecordSpool): Promise<readonly FoundColumn[]> {
  const nulls = new Set(settings.nullStrings);
  const root = shapeRoot();
  const finder = new ShapeFinder({ ...settings, nulls }, root);
  await walk(finder);
  finder.finish();
  await walk(new NestedRecords({ ...settings, nulls }, root, spool));
  return root.members.map(nestedColumn);
}

function nestedColumn(shape: Shape): FoundColumn {
  const { name } = shape;
  const type = typeOfMember(shape);
  const common = { name, sourceName: name, type, origin: "exact" } as const;
  if (shape.repeats || !shape.isText) return { column: { ...common, encoding: "json" }, samples: [], note: undefined };
  return { column: common, samples: shape.facts.samples, note: exactnessNote(shape.facts.stats(), type) };
}

/** Hands the records of all files to a handler, in order. */
async function walkRecords(
  origins: readonly FileOrigin[],
  path: RecordPath,
  handler: RecordHandler,
  { encoding }: XmlSettings,
  { signal, maxRecords, beginningBytes, isCut }: ReadOptions,
  onProgress: (readBytes: number) => void,
  warn: (message: string) => void,
): Promise<boolean> {
  let isAll = true;
  let left = maxRecords;
  let before = 0;
  for (const origin of origins) {
    if (left <= 0) return false;
    if (origin.bytes === 0) continue;
    const finder = new RecordFinder(path, handler, left);
    // Of a compressed file more comes out than it has: its own size is the most that is told.
    const told = (bytes: number) => onProgress(before + Math.min(bytes, origin.bytes));
    const file = { path: origin.path, encoding };
    const options = { signal, beginningBytes, isCut, onProgress: told };
    if (!(await parseXml(file, finder satisfies XmlHandler, options))) isAll = false;
    else if (finder.count === 0) warn(`${origin.path} holds no ${path.text} and gave no rows`);
    left -= finder.count;
    before += origin.bytes;
    if (beginningBytes !== undefined) return isAll && origin === origins.at(-1);
  }
  return isAll;
}

async function noRecords(
  origins: readonly FileOrigin[],
  path: RecordPath,
  { encoding }: XmlSettings,
  options: ReadOptions,
): Promise<DriverError> {
  const file = origins.find(({ bytes }) => bytes > 0)?.path;
  if (file === undefined) return new DriverError("EMPTY_SOURCE", `${origins[0]?.path ?? ""} is empty`);
  const paths = (await suggestionsOf(file, encoding, options)).map((suggestion) => suggestion.path).slice(0, 5);
  return new DriverError(
    "XML_NO_RECORDS",
    `${file}: there is no element ${path.text}; likely ones are ${paths.join(", ") || "none"}`,
    { metadata: { file, recordPath: path.text, suggestions: paths.join(", ") } },
  );
}
