import Papa from "papaparse";
import type { CsvScanOptions } from "../file-scan.ts";
import { chooseType, statsOf } from "./infer-type.ts";

/** What the beginning of a file shows. */
export interface CsvSample {
  readonly csv: CsvScanOptions & { readonly header: boolean };
  /** The header's texts, or one empty text for each column. */
  readonly header: readonly string[];
  /** The rows after the header. */
  readonly rows: readonly (readonly string[])[];
  /** How the text's own lines end, whatever was given; undefined where it has no two of them. */
  readonly lineEnd: LineEnd | undefined;
}

type LineEnd = NonNullable<CsvScanOptions["newline"]>;

const DELIMITERS = [",", ";", "\t", "|"] as const;

/** Finds what the options leave open. The last record of an incomplete `text` is left out: it may be cut. */
export function sniffCsv(text: string, complete: boolean, given: CsvScanOptions): CsvSample {
  const body = skipLines(text.replace(/^\uFEFF/, ""), given.skipLines ?? 0);
  const quote = given.quote ?? '"';
  const firstLine = firstLineOf(body, quote);
  const newline = given.newline ?? firstLine?.end ?? "\n";
  const escapeChar = given.escape ?? escapeOf(body, quote);
  const base = { ...given, newline, quote, escape: escapeChar };
  const delimiter = given.delimiter ?? delimiterOf(body, base);
  const all = parse(body, { ...base, delimiter });
  const parsed = complete || all.length < 2 ? all : all.slice(0, -1);
  const width = widthOf(parsed);
  // A blank line is a row only where there is a single column, in which it is a NULL.
  const records = parsed.filter((record) => record.length > 1 || record[0] !== "" || width === 1);
  const first = records[0] ?? [];
  const header = given.header ?? hasHeader(records.slice(0, 200), given);
  const names = header ? first : Array.from({ length: Math.max(width, 1) }, () => "");
  return {
    csv: { ...base, delimiter, header },
    header: names,
    rows: header ? records.slice(1) : records,
    lineEnd: firstLine && body.slice(firstLine.length).trim() !== "" ? firstLine.end : undefined,
  };
}

function skipLines(text: string, count: number): string {
  let start = 0;
  for (let line = 0; line < count; line++) {
    const end = text.indexOf("\n", start);
    if (end < 0) return "";
    start = end + 1;
  }
  return text.slice(start);
}

/** The first line end outside of quotes decides. */
function firstLineOf(text: string, quote: string): { readonly end: LineEnd; readonly length: number } | undefined {
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === quote) quoted = !quoted;
    else if (!quoted && (char === "\n" || char === "\r")) {
      const end = char === "\r" && text[at + 1] === "\n" ? "\r\n" : char;
      return { end, length: at + end.length };
    }
  }
  return undefined;
}

/** A backslash before a quote inside of a field that goes on after it. */
function escapeOf(text: string, quote: string): string {
  if (quote === "") return "";
  const backslashed = text.split(`\\${quote}`).length - 1;
  if (backslashed === 0) return quote;
  const doubled = text.split(`${quote}${quote}`).length - 1;
  return backslashed > doubled ? "\\" : quote;
}

function parse(text: string, csv: CsvScanOptions, preview = 0): string[][] {
  const quoted = csv.quote !== "";
  return Papa.parse<string[]>(text, {
    delimiter: csv.delimiter ?? ",",
    newline: csv.newline ?? "\n",
    quoteChar: quoted ? (csv.quote ?? '"') : "\0",
    escapeChar: quoted ? (csv.escape ?? '"') : "\0",
    comments: csv.comment ?? false,
    preview,
  }).data.filter((record, index, all) => index < all.length - 1 || record.length > 1 || record[0] !== "");
}

/** The candidate that splits the most rows into the same number (above one) of fields; the earlier one wins a draw. */
function delimiterOf(text: string, csv: CsvScanOptions): string {
  let best: { delimiter: string; score: number } = { delimiter: ",", score: 0 };
  const head = text.slice(0, 64 * 1024);
  for (const delimiter of DELIMITERS) {
    const records = parse(head, { ...csv, delimiter }, 200).filter((record) => record.length > 1 || record[0] !== "");
    const width = widthOf(records);
    if (width < 2) continue;
    const same = records.filter((record) => record.length === width).length;
    const score = (same / records.length) * (1 + Math.log2(width) / 100);
    if (score > best.score) best = { delimiter, score };
  }
  return best.delimiter;
}

/** The most frequent number of fields. */
function widthOf(records: readonly (readonly string[])[]): number {
  const counts = new Map<number, number>();
  for (const { length } of records) counts.set(length, (counts.get(length) ?? 0) + 1);
  return [...counts].reduce((best, entry) => (entry[1] > best[1] ? entry : best), [0, 0])[0];
}

/**
 * The first record is a header when a column of values has something else on top. Where all is text, it is one if its
 * cells are all there and all different.
 */
function hasHeader(records: readonly (readonly string[])[], csv: CsvScanOptions): boolean {
  const [first, ...rest] = records;
  if (!first) return true;
  const separator = csv.decimalSeparator ?? ".";
  const nulls = new Set(["", ...(csv.nullStrings ?? [])]);
  const typeOf = (values: readonly string[]) =>
    chooseType(
      statsOf(
        values.filter((value) => !nulls.has(value)),
        separator,
      ),
    );
  let typed = false;
  for (let column = 0; column < first.length; column++) {
    const type = typeOf(rest.map((record) => record[column] ?? ""));
    const top = first[column] ?? "";
    if (type !== "VARCHAR" && top !== "" && typeOf([top]) === "VARCHAR") return true;
    typed ||= type !== "VARCHAR" || (top !== "" && typeOf([top]) !== "VARCHAR");
  }
  if (typed) return false;
  return first.every((cell) => cell.trim() !== "") && new Set(first).size === first.length;
}
