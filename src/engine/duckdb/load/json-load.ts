import { DriverError } from "../../../errors/driver-error.ts";
import type { WriteOptions } from "../../engine.ts";
import type { RejectedRow, WrittenSegments } from "../../file-scan.ts";
import type { Connection } from "../connection.ts";
import { type KnownScan, keptColumns, textName, valueName } from "./csv-scan.ts";
import { engineError } from "./engine-error.ts";
import { placed } from "./json-place.ts";
import { jsonSelect, layoutIn, sourceSql, type Typed } from "./json-scan.ts";
import { parserComplaint } from "./value-parsers.ts";
import { writeSelect } from "./write-segments.ts";

const MAX_SAMPLES = 100;

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
