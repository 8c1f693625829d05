import { DriverError } from "../../../errors/driver-error.ts";
import type { RejectedRow } from "../../file-scan.ts";
import type { RecordPlace } from "../../text/record-lines.ts";
import type { Connection } from "../connection.ts";
import { quoteLiteral } from "../quoting.ts";
import { type Misfit, misfitsOf } from "./csv-misfits.ts";
import { recordPlaces } from "./csv-places.ts";
import { type KnownScan, type ReadMode, readCsvSql, textName, typedColumns, valueName } from "./csv-scan.ts";
import { requireSkippable } from "./csv-unskippable.ts";
import { csvComplaint, engineError } from "./engine-error.ts";

export interface Rejected {
  readonly rows: number;
  readonly samples: readonly RejectedRow[];
}

const MAX_SAMPLES = 100;
/** A row can be noted several times, once for each value too many. */
const NOTES_PER_ROW = 4;

/** What the reader notes of a row that it can't split. */
interface Note {
  /** The byte, from 0, at which the row begins. */
  readonly at: number;
  readonly column: string;
  readonly reason: string;
}

/** Counts the rows that a load skips, exactly, and keeps the first of them. Throws where a row can't be skipped. */
export class RejectedRows {
  readonly #connection: Connection;
  readonly #scan: KnownScan;
  readonly #max: number;

  constructor(connection: Connection, scan: KnownScan, max: number) {
    this.#connection = connection;
    this.#scan = scan;
    this.#max = max;
  }

  /** How a statement notes what its reader rejects. Noting costs 14 µs and about 1 KB a row: more than `max` is not needed. */
  readMode(statement: string, limit = this.#noteLimit): ReadMode {
    return { rejects: { errors: `${statement}_errors`, scans: `${statement}_scans`, limit } };
  }

  get #noteLimit(): number {
    return (this.#max + 1) * NOTES_PER_ROW;
  }

  /** Rows that can be split into columns but hold values which don't fit their declared types. */
  async countTyped(signal: AbortSignal): Promise<number> {
    const declared = typedColumns(this.#scan, true).filter(({ column }) => column.origin === "declared");
    if (declared.length === 0) return 0;
    const values = declared.map(({ value, index }) => `${textName(index)}, ${value} AS ${valueName(index)}`).join(", ");
    const broken = declared.map(({ violation }) => violation).join(" OR ");
    const from = readCsvSql(this.#scan, this.readMode("count"));
    const [row] = await this.#run(`SELECT count(*) FROM (SELECT ${values} FROM ${from}) WHERE ${broken}`, signal);
    const rows = Number(row?.[0] ?? 0);
    this.#require(rows);
    return rows;
  }

  /** What was rejected in all; throws TOO_MANY_BAD_ROWS when that is more than allowed. */
  async collect(statement: string, typedRows: number, signal: AbortSignal): Promise<Rejected> {
    if (this.#scan.csv?.widths !== undefined)
      return { rows: typedRows, samples: typedRows === 0 ? [] : await this.#unfitSamples(signal) };
    const [counted] = await this.#run(`SELECT count(*), ${DISTINCT_ROWS} FROM ${statement}_errors`, signal);
    let rows = Number(counted?.[1] ?? 0);
    // The notes were cut off, so they say too little: read once more without a limit, for the exact number.
    const cut = Number(counted?.[0] ?? 0) >= this.#noteLimit;
    const again = cut && rows <= this.#max;
    if (again) rows = await this.#countAll(signal);
    await requireSkippable(this.#connection, this.#scan, again ? "all" : statement, signal);
    const total = rows + typedRows;
    this.#require(total);
    return { rows: total, samples: total === 0 ? [] : await this.#samples(statement, typedRows > 0, signal) };
  }

  async #countAll(signal: AbortSignal): Promise<number> {
    await this.#run(`SELECT count(*) FROM ${readCsvSql(this.#scan, this.readMode("all", 0))}`, signal);
    const [row] = await this.#run(`SELECT ${DISTINCT_ROWS} FROM all_errors`, signal);
    return Number(row?.[0] ?? 0);
  }

  /** File by file, in the order of the lines. */
  async #samples(statement: string, withTyped: boolean, signal: AbortSignal): Promise<readonly RejectedRow[]> {
    const samples: RejectedRow[] = [];
    const { scans } = this.readMode(statement).rejects ?? {};
    for (const [index, file] of this.#scan.paths.entries()) {
      const wanted = MAX_SAMPLES - samples.length;
      if (wanted === 0) break;
      // To number the rows that were read, all the others must be known; else the first ones are enough.
      const notes = await this.#notes(statement, scans ?? "", file, withTyped ? undefined : wanted, signal);
      const mode = { ...this.readMode(`places_${index}`), ordered: file };
      const misfits = withTyped ? await misfitsOf(this.#connection, this.#scan, mode, wanted, signal) : [];
      const places = await recordPlaces(this.#scan, file, misfits, notes, signal);
      const unreadable = notes.map(({ column, reason }, at) => ({
        file,
        column,
        reason,
        ...place(places.rejected[at]),
      }));
      const unfit = misfits.map((misfit) => unfitRow(file, misfit, places.byOrdinal));
      samples.push(...[...unreadable, ...unfit].sort((left, right) => left.line - right.line).slice(0, wanted));
    }
    return samples;
  }

  /** Of files in which nothing but a value can be wrong. */
  async #unfitSamples(signal: AbortSignal): Promise<readonly RejectedRow[]> {
    const samples: RejectedRow[] = [];
    for (const file of this.#scan.paths) {
      const wanted = MAX_SAMPLES - samples.length;
      if (wanted === 0) break;
      const misfits = await misfitsOf(this.#connection, this.#scan, { ordered: file }, wanted, signal);
      const places = await recordPlaces(this.#scan, file, misfits, [], signal);
      samples.push(...misfits.map((misfit) => unfitRow(file, misfit, places.byOrdinal)));
    }
    return samples;
  }

  async #notes(
    statement: string,
    scans: string,
    file: string,
    limit: number | undefined,
    signal: AbortSignal,
  ): Promise<readonly Note[]> {
    const rows = await this.#run(
      `SELECT line_byte_position - 1, first(column_name ORDER BY byte_position), first(error_message ORDER BY byte_position)
       FROM ${statement}_errors JOIN ${scans} USING (scan_id, file_id) WHERE file_path = ${quoteLiteral(file)}
       GROUP BY line_byte_position ORDER BY line_byte_position ${limit === undefined ? "" : `LIMIT ${limit}`}`,
      signal,
    );
    return rows.map(([at, column, message]) => ({
      at: Number(at),
      column: this.#columnName(column),
      reason: csvComplaint(String(message)),
    }));
  }

  /** The reader knows columns by our names for them. */
  #columnName(column: unknown): string {
    const index = /^c(\d+)$/.exec(String(column ?? ""))?.[1];
    return index === undefined ? "" : (this.#scan.columns[Number(index)]?.name ?? "");
  }

  async #run(sql: string, signal: AbortSignal): Promise<readonly (readonly unknown[])[]> {
    try {
      return await (await this.#connection.run(sql, [], { signal })).getRows();
    } catch (error) {
      signal.throwIfAborted();
      throw engineError(error, this.#scan);
    }
  }

  #require(found: number): void {
    const rows = found + (this.#scan.rejected?.rows ?? 0);
    if (rows > this.#max) throw this.#tooMany(rows);
  }

  #tooMany(rows: number): DriverError {
    const files = this.#scan.paths.slice(0, 3).join(", ");
    return new DriverError("TOO_MANY_BAD_ROWS", `${files}: ${rows} rows or more are bad; maxBadRows is ${this.#max}`, {
      metadata: { rows: String(rows), maxBadRows: String(this.#max) },
    });
  }
}

const DISTINCT_ROWS = "count(DISTINCT (file_id, line_byte_position))";

function place(found: { line: number; text: string } | undefined): { line: number; text: string } {
  return { line: found?.line ?? 0, text: found?.text ?? "" };
}

function unfitRow(
  file: string,
  { ordinal, column, reason }: Misfit,
  places: ReadonlyMap<number, RecordPlace & { readonly file?: string }>,
): RejectedRow {
  const found = places.get(ordinal);
  return { file: found?.file ?? file, column, reason, ...place(found) };
}
