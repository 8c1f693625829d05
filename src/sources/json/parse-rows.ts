import { chunksOf, firstBytes } from "../../engine/byte-stream.ts";
import type { FileScan, RejectedRow } from "../../engine/file-scan.ts";
import type { SourceContext } from "../connector.ts";
import { numberBefore, placed, rejectedRows, shownPath, writeCopy } from "../parsers/copy-files.ts";
import type { RowParser } from "../parsers/options.ts";
import { type BrokenRow, RowFailure, RowParsing } from "../parsers/parse-rows.ts";
import { type Parsed, readyParsers } from "../parsers/run-parsers.ts";
import { plainName } from "../transcode.ts";
import { membersOf, type RecordMembers, withMembers } from "./members.ts";
import { type JsonPiece, JsonRecords, type RecordLayout } from "./records.ts";

const PEEK_BYTES = 64 * 1024;
const BATCH_RECORDS = 1_000;
/** Records may be large. */
const BATCH_LENGTH = 4 * 1024 * 1024;

/** Copies JSON files with what parsers make of some members of their records; every other character stays as it is. */
export async function parseJsonRows(
  scan: FileScan,
  parsers: ReadonlyMap<string, RowParser>,
  context: SourceContext,
): Promise<FileScan> {
  const ready = await readyParsers(parsers, context.parsers);
  const names = [...ready.keys()];
  const skips = scan.badRows.policy === "skip";
  const parsing = new RowParsing(names, ready, scan.badRows);
  const copies: {
    readonly path: string;
    readonly bytes: number;
    readonly original: string;
    readonly skipped: readonly number[];
  }[] = [];
  const samples: RejectedRow[] = [];
  for (const [index, path] of scan.paths.entries()) {
    const shown = shownPath(scan, index);
    const layout = await layoutOf(path, scan.json?.layout ?? "auto", context);
    const places = new Map<number, number>();
    const placeOf = async (ordinals: readonly number[]) =>
      new Map(ordinals.map((ordinal) => [ordinal, { line: places.get(ordinal) ?? 0, text: "" }]));
    try {
      const chunks = copied(path, layout, names, parsing, places, { signal: context.signal, skips });
      const copy = await writeCopy(chunks, `parsed-${index}-${plainName(path)}`, context);
      copies.push({ ...copy, original: shown, skipped: parsing.skipped });
    } catch (error) {
      throw await placed(error, shown, placeOf);
    }
    samples.push(...(await rejectedRows(parsing.samples, shown, placeOf)));
    parsing.nextFile();
  }
  return {
    ...scan,
    paths: copies.map(({ path }) => path),
    totalBytes: copies.reduce((total, { bytes }) => total + bytes, 0),
    found: Object.fromEntries(
      Object.entries(parsing.columns).map(([name, { type, isList }]) => [
        name,
        isList ? { type: `${type}[]`, origin: "inferred" } : { type, origin: "declared" },
      ]),
    ),
    rejected: { rows: parsing.skippedRows, samples },
    locate: async (path, ordinals) => {
      const copy = copies.find((candidate) => candidate.path === path);
      const file = copy?.original ?? path;
      const line = (ordinal: number) => numberBefore(ordinal, copy?.skipped ?? []);
      return new Map(ordinals.map((ordinal) => [ordinal, { file, line: line(ordinal), text: "" }]));
    },
  };
}

/** An array begins with a bracket; records have lines of their own unless the first one is not a whole record. */
async function layoutOf(
  path: string,
  wanted: "auto" | "array" | "newline",
  { signal }: SourceContext,
): Promise<RecordLayout> {
  if (wanted !== "auto") return wanted;
  const { bytes } = await firstBytes(path, PEEK_BYTES, { signal });
  const text = bytes
    .toString("utf8")
    .replace(/^\uFEFF/, "")
    .trimStart();
  if (text.startsWith("[")) return "array";
  return /^\{\s*\n/.test(text) ? "objects" : "newline";
}

/** The text of a file with parsed members. The lines of records that fail are noted in `places`, by their numbers. */
async function* copied(
  path: string,
  layout: RecordLayout,
  names: readonly string[],
  parsing: RowParsing,
  places: Map<number, number>,
  { signal, skips }: { readonly signal: AbortSignal; readonly skips: boolean },
): AsyncGenerator<Buffer> {
  const decoder = new TextDecoder("utf-8");
  const records = new JsonRecords(path, layout);
  const batch = new RecordBatch(names, parsing, places, skips);
  for await (const chunk of chunksOf(path, { signal }))
    for (const piece of records.push(decoder.decode(chunk, { stream: true })))
      if (batch.add(piece)) yield Buffer.from(batch.take());
  for (const piece of [...records.push(decoder.decode()), ...records.end()]) batch.add(piece);
  yield Buffer.from(batch.take());
}

/** Pieces of a file that are parsed together. */
class RecordBatch {
  readonly #skips: boolean;
  readonly #names: readonly string[];
  readonly #parsing: RowParsing;
  readonly #places: Map<number, number>;
  #pieces: { readonly piece: JsonPiece; readonly members: RecordMembers | undefined }[] = [];
  #count = 0;
  #length = 0;
  /** Records in the batches before. */
  #before = 0;

  constructor(names: readonly string[], parsing: RowParsing, places: Map<number, number>, skips: boolean) {
    this.#skips = skips;
    this.#names = names;
    this.#parsing = parsing;
    this.#places = places;
  }

  /** Whether the batch is full now. */
  add(piece: JsonPiece): boolean {
    const members = piece.isRecord ? membersOf(piece.text, this.#names) : undefined;
    this.#pieces.push({ piece, members });
    if (members) this.#count++;
    this.#length += piece.text.length;
    return this.#count >= BATCH_RECORDS || this.#length >= BATCH_LENGTH;
  }

  /** The batch's text. Records that fail leave nothing but their line ends, so that the others keep their lines. */
  take(): string {
    const records = this.#pieces.flatMap(({ piece, members }) => (members ? [{ piece, members }] : []));
    const rows = records.map(({ members }): Parsed[] => [...members.values]);
    const kept = new Set<Parsed[]>(this.#run(rows, records));
    let at = 0;
    let text = "";
    for (const { piece, members } of this.#pieces) {
      const row = members ? rows[at++] : undefined;
      if (!members || !row) text += piece.text;
      else if (kept.has(row))
        text += withMembers(
          piece.text,
          members,
          this.#names,
          row.map((value) => JSON.stringify(value)),
        );
      else text += piece.text.replaceAll(/[^\n]+/g, "");
    }
    this.#before += records.length;
    this.#pieces = [];
    this.#count = 0;
    this.#length = 0;
    return text;
  }

  /** Only where bad rows are skipped are texts decoded that are wrong: elsewhere the copy is refused. */
  #broken(records: readonly { readonly piece: JsonPiece }[]): ReadonlyMap<number, BrokenRow> {
    if (!this.#skips) return new Map();
    return new Map(
      records.flatMap(({ piece }, at) =>
        piece.text.includes("\uFFFD") ? [[at, { code: "SOURCE_ENCODING", reason: "not UTF-8" }] as const] : [],
      ),
    );
  }

  #run(rows: readonly Parsed[][], records: readonly { readonly piece: JsonPiece }[]): readonly Parsed[][] {
    const lineOf = (ordinal: number) => records[ordinal - this.#before - 1]?.piece.line ?? 0;
    try {
      const kept = this.#parsing.run(rows, this.#broken(records));
      for (const { ordinal } of this.#parsing.samples)
        if (ordinal > this.#before) this.#places.set(ordinal, lineOf(ordinal));
      return kept;
    } catch (error) {
      if (error instanceof RowFailure) this.#places.set(error.row.ordinal, lineOf(error.row.ordinal));
      throw error;
    }
  }
}
