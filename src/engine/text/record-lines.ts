import { chunksOf } from "../byte-stream.ts";

/** A record's place in a file. */
export interface RecordPlace {
  /** From 1; the line on which the record begins. */
  readonly line: number;
  /** The record's text, cut at 1,000 characters. */
  readonly text: string;
}

export interface RecordSyntax {
  readonly delimiter: string;
  readonly quote: string;
  readonly escape: string;
  readonly comment: string;
  /** Lines before the first record, the header not counted. */
  readonly skipLines: number;
  readonly header: boolean;
  /** Whether a blank line is a record (a file of one column) or nothing. */
  readonly blankIsRecord: boolean;
}

/** What to look for in one file. */
export interface WantedRecords {
  /** Records by their number, from 1, without header and without the rejected ones. */
  readonly ordinals: readonly number[];
  /** Bytes, from 0, at which rejected records begin; blank lines before one may be counted to it. */
  readonly rejectedAt: readonly number[];
}

export interface FoundRecords {
  readonly byOrdinal: ReadonlyMap<number, RecordPlace>;
  /** In the order of `rejectedAt`, sorted. */
  readonly rejected: readonly RecordPlace[];
}

interface FoundRecord extends RecordPlace {
  readonly start: number;
}

const MAX_TEXT = 1_000;
const CR = 13;
const LF = 10;

/**
 * Finds the lines of records. DuckDB's own line numbers count records, not lines: they are wrong below a blank line or a
 * value with line ends in it. Its byte positions are right, and a value that our own check refuses is known by the number
 * of its record.
 */
export async function findRecords(
  path: string,
  wanted: WantedRecords,
  syntax: RecordSyntax,
  { signal }: { signal: AbortSignal },
): Promise<FoundRecords> {
  const ordinals = new Set(wanted.ordinals);
  const rejectedAt = [...wanted.rejectedAt].sort((left, right) => left - right);
  const byOrdinal = new Map<number, RecordPlace>();
  const rejected: RecordPlace[] = [];
  let ordinal = syntax.header ? -1 : 0;
  const complete = () => byOrdinal.size === ordinals.size && rejected.length === rejectedAt.length;
  if (complete()) return { byOrdinal, rejected };
  for await (const batch of recordBatches(path, syntax, signal)) {
    for (const record of batch) {
      if (isNoRecord(record, syntax)) continue;
      const next = rejectedAt[rejected.length];
      if (next !== undefined && next <= record.start) {
        rejected.push(record);
        continue;
      }
      ordinal++;
      if (ordinals.has(ordinal)) byOrdinal.set(ordinal, record);
      if (complete()) return { byOrdinal, rejected };
    }
  }
  return { byOrdinal, rejected };
}

function isNoRecord(record: FoundRecord, { skipLines, comment, blankIsRecord }: RecordSyntax): boolean {
  if (record.line <= skipLines) return true;
  if (comment !== "" && record.text.startsWith(comment)) return true;
  return record.text === "" && !blankIsRecord;
}

/** Splits a file into records, chunk by chunk: line ends inside of quotes belong to them. */
async function* recordBatches(path: string, syntax: RecordSyntax, signal: AbortSignal): AsyncGenerator<FoundRecord[]> {
  const splitter = new RecordSplitter(syntax);
  for await (const chunk of chunksOf(path, { signal })) yield splitter.push(chunk);
  yield splitter.end();
}

class RecordSplitter {
  readonly #quote: number;
  readonly #escape: number;
  readonly #delimiter: number;
  #line = 1;
  #offset = 0;
  #recordLine = 1;
  #recordStart = 0;
  #kept: number[] = [];
  #length = 0;
  #fieldStart = true;
  #quoted = false;
  #escaped = false;
  #previous = 0;

  constructor({ quote, escape: escapeText, delimiter }: RecordSyntax) {
    this.#quote = quote === "" ? -1 : quote.charCodeAt(0);
    this.#escape = escapeText === "" ? -1 : escapeText.charCodeAt(0);
    this.#delimiter = Buffer.from(delimiter).at(-1) ?? 44;
  }

  push(chunk: Buffer): FoundRecord[] {
    const records: FoundRecord[] = [];
    for (const byte of chunk) {
      const record = this.#take(byte);
      if (record) records.push(record);
    }
    return records;
  }

  end(): FoundRecord[] {
    return this.#length > 0 ? [this.#finish()] : [];
  }

  #take(byte: number): FoundRecord | undefined {
    this.#offset++;
    const isEnd = byte === LF || byte === CR;
    const isSecond = byte === LF && this.#previous === CR;
    const wasFieldStart = this.#fieldStart;
    const previous = this.#previous;
    this.#previous = byte;
    if (isEnd && !isSecond) this.#line++;
    if (isEnd && !this.#quoted) {
      const record = isSecond ? undefined : this.#finish();
      this.#recordLine = this.#line;
      this.#recordStart = this.#offset;
      return record;
    }
    this.#length++;
    if (this.#kept.length < MAX_TEXT * 4) this.#kept.push(byte);
    if (this.#escaped) this.#escaped = false;
    else if (this.#quoted && byte === this.#escape && this.#escape !== this.#quote) this.#escaped = true;
    else if (byte === this.#quote && (wasFieldStart || this.#quoted || previous === this.#quote))
      this.#quoted = !this.#quoted;
    this.#fieldStart = byte === this.#delimiter && !this.#quoted;
    return undefined;
  }

  #finish(): FoundRecord {
    const text = Buffer.from(this.#kept)
      .toString("utf8")
      .replace(/^\uFEFF/, "")
      .slice(0, MAX_TEXT);
    const record = { line: this.#recordLine, start: this.#recordStart, text };
    this.#kept = [];
    this.#length = 0;
    this.#fieldStart = true;
    this.#quoted = false;
    this.#escaped = false;
    return record;
  }
}
