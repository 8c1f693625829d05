import { DriverError } from "../../errors/driver-error.ts";

/** A field of the exchange dialect: null for NULL, several texts for a list. */
export type ExchangeField = string | null | readonly (string | null)[];

/** What a list begins with: no text of XML does. */
export const LIST_MARK = "\u0001";

const BATCH_ROWS = 1_000;
const MAX_ROW_LENGTH = 8 * 1024 * 1024;
const QUOTE = 0x22;
const COMMA = 0x2c;
const LINE_FEED = 0x0a;

export interface DecodeOptions {
  /** Whether there may be lists; else what looks like one is a text, as databases have any. */
  readonly lists: boolean;
}

/** Reads text of the exchange dialect back into rows, in batches. */
export async function* decodeText(
  chunks: AsyncIterable<Uint8Array>,
  { lists }: DecodeOptions,
): AsyncGenerator<ExchangeField[][]> {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  let rest = "";
  for await (const chunk of chunks) {
    rest += decoder.decode(chunk, { stream: true });
    const { rows, end } = wholeRows(rest, lists);
    rest = rest.slice(end);
    if (rest.length > MAX_ROW_LENGTH)
      throw new DriverError("ROW_TOO_LONG", `a row has more than ${MAX_ROW_LENGTH} characters`);
    for (let at = 0; at < rows.length; at += BATCH_ROWS) yield rows.slice(at, at + BATCH_ROWS);
  }
  rest += decoder.decode();
  if (rest !== "") yield wholeRows(`${rest}\n`, lists).rows;
}

function wholeRows(text: string, lists: boolean): { readonly rows: ExchangeField[][]; readonly end: number } {
  const rows: ExchangeField[][] = [];
  let row: ExchangeField[] = [];
  let end = 0;
  let at = 0;
  while (at < text.length) {
    const field = fieldAt(text, at, lists);
    if (field === undefined) break;
    row.push(field.value);
    at = field.end + 1;
    if (text.charCodeAt(field.end) === COMMA) continue;
    rows.push(row);
    row = [];
    end = at;
  }
  return { rows, end };
}

/** The field that begins at a place; undefined where its end is not there yet. */
function fieldAt(
  text: string,
  start: number,
  lists: boolean,
): { readonly value: ExchangeField; readonly end: number } | undefined {
  if (text.charCodeAt(start) !== QUOTE) {
    let end = start;
    while (end < text.length && text.charCodeAt(end) !== COMMA && text.charCodeAt(end) !== LINE_FEED) end++;
    if (end === text.length) return undefined;
    return { value: end === start ? null : text.slice(start, end), end };
  }
  let close = text.indexOf('"', start + 1);
  while (close >= 0 && text.charCodeAt(close + 1) === QUOTE) close = text.indexOf('"', close + 2);
  if (close < 0 || close + 1 >= text.length) return undefined;
  const value = text.slice(start + 1, close).replaceAll('""', '"');
  return { value: lists && value.startsWith(LIST_MARK) ? listOf(value) : value, end: close + 1 };
}

function listOf(value: string): ExchangeField {
  return JSON.parse(value.slice(LIST_MARK.length)) as readonly (string | null)[];
}

const NEEDS_QUOTES = /[",\r\n]/;

/** Rows as text of the exchange dialect. */
export function encodeRows(rows: readonly (readonly ExchangeField[])[]): Buffer {
  let text = "";
  for (const row of rows) {
    for (const [at, value] of row.entries()) {
      if (at > 0) text += ",";
      text += encoded(value);
    }
    text += "\n";
  }
  return Buffer.from(text);
}

function encoded(value: ExchangeField): string {
  if (value === null) return "";
  if (typeof value !== "string") return `"${LIST_MARK}${JSON.stringify(value).replaceAll('"', '""')}"`;
  return value === "" || NEEDS_QUOTES.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}
