import Papa from "papaparse";
import { chunksOf, firstBytes } from "../../engine/byte-stream.ts";
import type { CsvScanOptions, FileScan, LocatedRecord, RejectedRow } from "../../engine/file-scan.ts";
import { sniffCsv } from "../../engine/text/csv-dialect.ts";
import { findRecords } from "../../engine/text/record-lines.ts";
import { uniqueNames } from "../../engine/text/unique-names.ts";
import { DriverError } from "../../errors/driver-error.ts";
import type { SourceContext } from "../connector.ts";
import { type ExchangeField, encodeRows } from "../exchange/decode-text.ts";
import { exchangeCsv } from "../exchange/dialect.ts";
import { numberBefore, type PlaceOf, placed, rejectedRows, shownPath, writeCopy } from "../parsers/copy-files.ts";
import type { RowParser } from "../parsers/options.ts";
import { type BrokenRow, RowParsing } from "../parsers/parse-rows.ts";
import { readyParsers } from "../parsers/run-parsers.ts";
import { plainName } from "../transcode.ts";

const SAMPLE_BYTES = 256 * 1024;
const MAX_ROW_LENGTH = 8 * 1024 * 1024;
const BATCH_ROWS = 1_000;

type Dialect = CsvScanOptions & { readonly header: boolean };

/**
 * Copies delimited files with what parsers make of some columns' texts. Rows are split by Papa Parse and written in the exchange
 * dialect; what can't be split into columns is told here, since the copies would not show where it was.
 */
export async function parseCsvRows(
  scan: FileScan,
  parsers: ReadonlyMap<string, RowParser>,
  context: SourceContext,
): Promise<FileScan> {
  const ready = await readyParsers(parsers, context.parsers);
  const { signal } = context;
  let dialect: Dialect | undefined;
  let parsing: RowParsing | undefined;
  const copies: Copy[] = [];
  const samples: RejectedRow[] = [];
  for (const [index, path] of scan.paths.entries()) {
    const shown = shownPath(scan, index);
    const { bytes, complete } = await firstBytes(path, SAMPLE_BYTES, { signal });
    const text = bytes.toString("utf8");
    if (text.trim() === "") continue;
    const sample = sniffCsv(text, complete, dialect ?? scan.csv ?? {});
    dialect ??= sample.csv;
    parsing ??= new RowParsing(uniqueNames(sample.header), ready, scan.badRows);
    const file = new CsvRows(path, dialect, sample.header.length, scan, { signal });
    const placeOf = file.placeOf;
    try {
      const copy = await writeCopy(file.copied(parsing), `parsed-${index}-${plainName(path)}`, context);
      copies.push({ ...copy, original: shown, placeOf, skipped: parsing.skipped });
    } catch (error) {
      throw await placed(error, shown, placeOf);
    }
    samples.push(...(await rejectedRows(parsing.samples, shown, placeOf)));
    parsing.nextFile();
  }
  if (!parsing || !dialect) return scan;
  return {
    ...scan,
    paths: copies.map(({ path }) => path),
    totalBytes: copies.reduce((total, { bytes }) => total + bytes, 0),
    csv: { ...scan.csv, ...exchangeCsv, header: dialect.header, quotedNulls: true, skipLines: 0, comment: "" },
    found: Object.fromEntries(
      Object.entries(parsing.columns).map(([name, { type, isList }]) => [
        name,
        isList ? { type: `${type}[]`, origin: "exact", encoding: "list" } : { type, origin: "exact" },
      ]),
    ),
    rejected: { rows: parsing.skippedRows, samples },
    locate: async (path, ordinals) => located(copies, path, ordinals),
  };
}

interface Copy {
  readonly path: string;
  readonly bytes: number;
  readonly original: string;
  readonly placeOf: PlaceOf;
  readonly skipped: readonly number[];
}

async function located(
  copies: readonly Copy[],
  path: string,
  ordinals: readonly number[],
): Promise<ReadonlyMap<number, LocatedRecord>> {
  const copy = copies.find((candidate) => candidate.path === path);
  if (!copy) return new Map();
  const numbers = ordinals.map((ordinal) => [ordinal, numberBefore(ordinal, copy.skipped)] as const);
  const places = await copy.placeOf(numbers.map(([, number]) => number));
  return new Map(
    numbers.flatMap(([ordinal, number]) => {
      const place = places.get(number);
      return place ? [[ordinal, { ...place, file: copy.original }] as const] : [];
    }),
  );
}

/** The rows of one file. */
class CsvRows {
  readonly #path: string;
  readonly #dialect: Dialect;
  readonly #width: number;
  readonly #nulls: ReadonlySet<string>;
  readonly #skips: boolean;
  readonly #options: { readonly signal: AbortSignal };
  #headerLeft: boolean;

  constructor(
    path: string,
    dialect: Dialect,
    width: number,
    scan: FileScan,
    options: { readonly signal: AbortSignal },
  ) {
    this.#path = path;
    this.#dialect = dialect;
    this.#width = width;
    this.#nulls = new Set(["", ...(scan.csv?.nullStrings ?? [])]);
    this.#skips = scan.badRows.policy === "skip";
    this.#options = options;
    this.#headerLeft = dialect.header;
  }

  /** The file's text with parsed values. */
  async *copied(parsing: RowParsing): AsyncGenerator<Buffer> {
    for await (const records of this.#records()) {
      const rest = this.#headerLeft ? records.slice(1) : records;
      if (this.#headerLeft && records[0]) {
        this.#headerLeft = false;
        yield encodeRows([records[0].fields]);
      }
      for (let at = 0; at < rest.length; at += BATCH_ROWS)
        yield encodeRows(this.#parsed(rest.slice(at, at + BATCH_ROWS), parsing));
    }
  }

  readonly placeOf: PlaceOf = async (ordinals) => {
    const { delimiter = ",", quote = '"', comment = "", skipLines = 0, header } = this.#dialect;
    const syntax = { delimiter, quote, comment, skipLines, header, blankIsRecord: this.#width === 1 };
    const escapeText = this.#dialect.escape ?? quote;
    const wanted = { ordinals, rejectedAt: [] };
    return (await findRecords(this.#path, wanted, { ...syntax, escape: escapeText }, this.#options)).byOrdinal;
  };

  #parsed(records: readonly SplitRecord[], parsing: RowParsing): readonly ExchangeField[][] {
    const broken = new Map<number, BrokenRow>();
    for (const [at, record] of records.entries()) {
      const problem = this.#problem(record);
      if (problem) broken.set(at, problem);
    }
    const rows = records.map(({ fields }) => fields.map((value) => (this.#nulls.has(value) ? null : value)));
    return parsing.run(rows, broken);
  }

  #problem({ fields, malformed }: SplitRecord): BrokenRow | undefined {
    // What such a quote takes along can't be told from the row's own.
    if (malformed && fields.some((value) => /[\r\n]/.test(value.trim())))
      return {
        ...{ code: "UNTERMINATED_QUOTE", isUnskippable: this.#skips },
        reason: "a quote that is not closed takes what follows along",
      };
    if (malformed)
      return { code: "UNTERMINATED_QUOTE", reason: "a quoted value does not end, or text follows its closing quote" };
    const width = this.#width;
    if (fields.length > width)
      return { code: "RAGGED_ROWS", reason: `more than the ${width} values that are expected` };
    if (fields.length < width)
      return { code: "RAGGED_ROWS", reason: `${fields.length} of the ${width} values that are expected` };
    // Only where bad rows are skipped are texts decoded that are wrong.
    const isWrong = this.#skips && fields.some((value) => value.includes("\uFFFD"));
    return isWrong ? { code: "SOURCE_ENCODING", reason: "not UTF-8" } : undefined;
  }

  /** The file's records, a chunk's at a time. */
  async *#records(): AsyncGenerator<readonly SplitRecord[]> {
    const decoder = new TextDecoder("utf-8", { fatal: !this.#skips });
    let rest = "";
    let skip = this.#dialect.skipLines ?? 0;
    for await (const chunk of chunksOf(this.#path, this.#options)) {
      rest += this.#decoded(decoder, chunk);
      for (let end = rest.indexOf("\n"); skip > 0 && end >= 0; end = rest.indexOf("\n")) {
        rest = rest.slice(end + 1);
        skip--;
      }
      if (skip > 0) continue;
      const { records, cursor } = this.#split(rest, true);
      rest = rest.slice(cursor);
      if (rest.length > MAX_ROW_LENGTH)
        throw new DriverError("ROW_TOO_LONG", `${this.#path}: a row has more than ${MAX_ROW_LENGTH} characters`, {
          metadata: { file: this.#path },
        });
      yield records;
    }
    if (skip === 0 && rest !== "") yield this.#split(rest, false).records;
  }

  #split(text: string, ignoreLastRow: boolean): { readonly records: readonly SplitRecord[]; readonly cursor: number } {
    const { delimiter = ",", newline = "\n", quote = '"', comment } = this.#dialect;
    const isQuoted = quote !== "";
    const parser = new Papa.Parser({
      delimiter,
      newline,
      quoteChar: isQuoted ? quote : "\0",
      escapeChar: isQuoted ? (this.#dialect.escape ?? quote) : "\0",
      comments: comment || false,
    });
    const { data, errors, meta } = parser.parse(text, 0, ignoreLastRow) as Papa.ParseResult<string[]>;
    const malformed = new Set(errors.map(({ row }) => row));
    const records = data.map((fields, at) => ({ fields, malformed: malformed.has(at) }));
    // A blank line is a row only where there is a single column, in which it is a NULL; the last line's end begins none.
    const isLast = (at: number) => !ignoreLastRow && at === data.length - 1;
    const kept = records.filter(
      ({ fields }, at) => fields.length > 1 || fields[0] !== "" || (this.#width === 1 && !isLast(at)),
    );
    return { records: kept, cursor: meta.cursor };
  }

  #decoded(decoder: { decode(chunk: Buffer, options: { stream: boolean }): string }, chunk: Buffer): string {
    try {
      return decoder.decode(chunk, { stream: true });
    } catch (error) {
      throw new DriverError("SOURCE_ENCODING", `${this.#path}: not UTF-8`, {
        metadata: { file: this.#path },
        cause: error,
      });
    }
  }
}

interface SplitRecord {
  readonly fields: string[];
  readonly malformed: boolean;
}
