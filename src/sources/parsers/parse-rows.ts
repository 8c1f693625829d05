import type { BadRows } from "../../engine/file-scan.ts";
import { chooseType, StatsCollector } from "../../engine/text/infer-type.ts";
import { DriverError } from "../../errors/driver-error.ts";
import type { Reason } from "../../errors/reasons.ts";
import { type BatchParser, type Parsed, ParserFailure } from "./run-parsers.ts";

/** A row that a parser could not take. */
export interface FailedRow {
  readonly code: Reason;
  /** Its number, from 1. */
  readonly ordinal: number;
  readonly column: string;
  readonly value: string;
  readonly reason: string;
}

/** A row that no parser gets to see. */
export type BrokenRow = Pick<FailedRow, "code" | "reason"> & { readonly isUnskippable?: boolean };

/** Ends the reading where bad rows are not skipped; whoever reads knows the place. */
export class RowFailure extends Error {
  readonly row: FailedRow;

  constructor(row: FailedRow) {
    super(row.reason);
    this.row = row;
  }
}

/** What the values of a parsed column turned out to be. */
export interface ParsedColumn {
  readonly type: string;
  readonly isList: boolean;
}

const NONE: ReadonlyMap<number, BrokenRow> = new Map();
const MAX_VALUE = 200;
const MAX_SAMPLES = 100;

interface Target {
  readonly index: number;
  readonly name: string;
  readonly parser: BatchParser;
  readonly stats: StatsCollector;
  isList: boolean;
}

/** Puts what parsers make of texts in their places, batch by batch. */
export class RowParsing {
  readonly #targets: readonly Target[];
  readonly #badRows: BadRows;
  #ordinal = 0;
  #skippedBefore = 0;
  /** The rows of the present file that were left out, all of them by number, the first ones in full. */
  skipped: number[] = [];
  samples: FailedRow[] = [];

  /** Throws UNKNOWN_COLUMN where a parser's column is none of `columns`. */
  constructor(columns: readonly string[], parsers: ReadonlyMap<string, BatchParser>, badRows: BadRows) {
    this.#badRows = badRows;
    this.#targets = [...parsers].map(([name, parser]) => {
      const index = columns.indexOf(name);
      if (index < 0)
        throw new DriverError("UNKNOWN_COLUMN", `option parsers: the source has no column ${JSON.stringify(name)}`, {
          metadata: { column: name },
        });
      return { index, name, parser, stats: new StatsCollector(), isList: parser.makesLists };
    });
  }

  /** Begins another file, whose rows are counted anew. */
  nextFile(): void {
    this.#skippedBefore += this.skipped.length;
    this.#ordinal = 0;
    this.skipped = [];
    this.samples = [];
  }

  /** Rows that were left out in all files. */
  get skippedRows(): number {
    return this.#skippedBefore + this.skipped.length;
  }

  /** The rows that stay, with parsed values in place. Throws RowFailure, TOO_MANY_BAD_ROWS. */
  run(rows: readonly Parsed[][], broken: ReadonlyMap<number, BrokenRow> = NONE): readonly Parsed[][] {
    const failed = new Set<number>();
    for (const [at, { isUnskippable, ...problem }] of broken) {
      const row = { ...problem, column: "", value: "" };
      if (isUnskippable) throw new RowFailure({ ...row, ordinal: this.#ordinal + at + 1 });
      this.#fail(at, failed, row);
    }
    for (const target of this.#targets) this.#parse(target, rows, failed);
    if (this.#badRows.policy === "skip" && this.skippedRows > this.#badRows.maxBadRows) throw this.#tooMany();
    // Parsers went over the batch one after the other.
    this.skipped.sort((left, right) => left - right);
    this.samples.sort((left, right) => left.ordinal - right.ordinal).splice(MAX_SAMPLES);
    const [first] = this.samples;
    if (this.#badRows.policy === "fail" && first) throw new RowFailure(first);
    this.#ordinal += rows.length;
    return failed.size === 0 ? rows : rows.filter((_, at) => !failed.has(at));
  }

  get columns(): Readonly<Record<string, ParsedColumn>> {
    return Object.fromEntries(
      this.#targets.map(({ name, stats, isList }) => [name, { type: chooseType(stats.stats()), isList }]),
    );
  }

  #parse(target: Target, rows: readonly Parsed[][], failed: Set<number>): void {
    const { index, name, parser } = target;
    // Of a list, each entry is parsed for itself.
    const texts = rows.flatMap((row, at) => (failed.has(at) ? [] : (row[index] ?? null)));
    const results = parser.run(texts);
    let from = 0;
    for (const [at, row] of rows.entries()) {
      if (failed.has(at)) continue;
      const given = row[index] ?? null;
      const count = Array.isArray(given) ? given.length : 1;
      const parsed = results.slice(from, from + count);
      const wrong = parsed.findIndex((result) => result instanceof ParserFailure);
      if (wrong >= 0) {
        const value = (texts[from + wrong] ?? "NULL").slice(0, MAX_VALUE);
        const { message } = parsed[wrong] as ParserFailure;
        const reason = `the parser fails at ${JSON.stringify(value)}: ${message}`;
        this.#fail(at, failed, { code: "VALUE_PARSER_FAILED", column: name, value, reason });
      } else row[index] = this.#noted(target, parsed as readonly Parsed[], Array.isArray(given));
      from += count;
    }
  }

  /** A row's value, of which the types are taken note of. */
  #noted(target: Target, parsed: readonly Parsed[], isList: boolean): Parsed {
    const [first = null] = parsed;
    const value: Parsed = isList ? (parsed as readonly (string | null)[]).flat() : first;
    if (Array.isArray(value)) {
      target.isList = true;
      for (const entry of value as readonly (string | null)[]) if (entry !== null) target.stats.add(entry);
    } else if (value !== null) target.stats.add(value as string);
    return value;
  }

  #tooMany(): DriverError {
    const max = this.#badRows.policy === "skip" ? this.#badRows.maxBadRows : 0;
    const rows = String(this.skippedRows);
    return new DriverError("TOO_MANY_BAD_ROWS", `${rows} rows or more are bad; maxBadRows is ${max}`, {
      metadata: { rows, maxBadRows: String(max) },
    });
  }

  #fail(at: number, failed: Set<number>, row: Omit<FailedRow, "ordinal">): void {
    if (failed.has(at)) return;
    const ordinal = this.#ordinal + at + 1;
    failed.add(at);
    this.skipped.push(ordinal);
    this.samples.push({ ...row, ordinal });
  }
}
