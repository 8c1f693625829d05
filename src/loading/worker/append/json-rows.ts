import { isUtf8 } from "node:buffer";
import { JsonCursor, Kind, plainNumber } from "./json-cursor.ts";
import { malformedRow, misfit, unknownColumn } from "./row-error.ts";
import type { RowColumn, RowShape } from "./row-shape.ts";
import { TextBuffer } from "./text-buffer.ts";

export interface JsonShape extends RowShape {
  /** The columns of rows that are arrays; rows that are objects name theirs. */
  readonly names: readonly string[];
}

export interface EncodedRows {
  /** In the exchange dialect, with all columns of the shape in their order. */
  readonly text: Uint8Array;
  readonly rows: number;
  /** For each column: whether all its texts are of the form that needs no check. */
  readonly sure: readonly boolean[];
}

const COMMA = 0x2c;
const QUOTE = 0x22;
const NEWLINE = 0x0a;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/**
 * Makes text of the exchange dialect from JSON rows, one to a line: arrays or objects. Values are taken by their text and never
 * parsed, so that no number loses a digit, and at some 100 MB/s. Throws MALFORMED_ROWS, UNKNOWN_COLUMN, LOAD_TYPE_MISMATCH.
 */
export function encodeJsonRows(input: Uint8Array, shape: JsonShape): EncodedRows {
  if (!isUtf8(input)) throw malformedRow(shape.firstRow, "the text is not UTF-8");
  return new JsonRows(input, shape).encode();
}

class JsonRows {
  readonly #cursor: JsonCursor;
  readonly #columns: readonly RowColumn[];
  readonly #byName: ReadonlyMap<string, number>;
  /** Where each name of an array's values stands in the dataset. */
  readonly #places: readonly number[];
  readonly #input: Uint8Array;
  readonly #out: TextBuffer;
  // One row's values by column: where their text is, and the row that they belong to.
  readonly #starts: Int32Array;
  readonly #ends: Int32Array;
  readonly #kinds: Uint8Array;
  readonly #rows: Int32Array;
  readonly #sure: boolean[];
  /** The columns of the keys of the object before, which the next one most likely has in the same order. */
  readonly #lastKeys: number[] = [];
  readonly #keyBytes: readonly Buffer[];
  readonly #firstRow: number;
  #row = 0;

  constructor(input: Uint8Array, { columns, names, firstRow }: JsonShape) {
    this.#input = input;
    this.#cursor = new JsonCursor(input);
    this.#columns = columns;
    this.#firstRow = firstRow;
    this.#byName = new Map(columns.map(({ name }, index) => [name, index]));
    this.#places = names.map((name) => this.#byName.get(name) ?? this.#unknown(name));
    this.#keyBytes = columns.map(({ name }) => Buffer.from(name));
    this.#out = new TextBuffer(input.length + 64);
    this.#starts = new Int32Array(columns.length);
    this.#ends = new Int32Array(columns.length);
    this.#kinds = new Uint8Array(columns.length);
    this.#rows = new Int32Array(columns.length).fill(-1);
    this.#sure = columns.map(({ sure }) => sure !== "none");
  }

  encode(): EncodedRows {
    const cursor = this.#cursor;
    for (;;) {
      cursor.skipSpace();
      const byte = cursor.peek();
      if (byte === -1) return { text: this.#out.bytes, rows: this.#row, sure: this.#sure };
      try {
        if (byte === OPEN_ARRAY) this.#readArray();
        else if (byte === OPEN_OBJECT) this.#readObject();
        else throw new SyntaxError("it is neither an array nor an object");
        cursor.endLine();
        this.#write();
      } catch (error) {
        throw error instanceof SyntaxError ? malformedRow(this.#number, error.message) : error;
      }
      this.#row++;
    }
  }

  get #number(): number {
    return this.#firstRow + this.#row;
  }

  #unknown(name: string): never {
    throw unknownColumn(this.#number, name);
  }

  #readArray(): void {
    const cursor = this.#cursor;
    const places = this.#places;
    if (places.length === 0) throw new SyntaxError("it is an array, but no names of columns were given");
    cursor.take(OPEN_ARRAY);
    for (let at = 0; at < places.length; at++) {
      if (at > 0) cursor.take(COMMA, `it has ${at} values, not ${places.length}`);
      else if (cursor.peekToken() === CLOSE_ARRAY) throw new SyntaxError(`it has 0 values, not ${places.length}`);
      this.#readValue(places[at] as number);
    }
    cursor.take(CLOSE_ARRAY, `it has more than ${places.length} values`);
  }

  #readObject(): void {
    const cursor = this.#cursor;
    cursor.take(OPEN_OBJECT);
    for (let at = 0; at > 0 || cursor.peekToken() !== CLOSE_OBJECT; at++) {
      const column = this.#readKey(at);
      if (this.#rows[column] === this.#row)
        throw new SyntaxError(`the key ${JSON.stringify(this.#columns[column]?.name)} stands in it twice`);
      cursor.take(COLON);
      this.#readValue(column);
      if (cursor.peekToken() !== COMMA) break;
      cursor.take(COMMA);
    }
    cursor.take(CLOSE_OBJECT);
  }

  #readKey(at: number): number {
    const cursor = this.#cursor;
    const kind = cursor.readValue();
    const likely = this.#lastKeys[at];
    if (likely !== undefined && this.#isKey(likely)) return likely;
    if (kind !== Kind.text && kind !== Kind.escaped) throw new SyntaxError("a key is no string");
    const name = cursor.string();
    const column = this.#byName.get(name) ?? this.#unknown(name);
    this.#lastKeys[at] = column;
    return column;
  }

  /** Whether the string that was read is the column's name. */
  #isKey(column: number): boolean {
    const { start, end } = this.#cursor;
    const name = this.#keyBytes[column] as Buffer;
    if (end - start !== name.length + 2 || this.#input[start] !== QUOTE) return false;
    for (let at = 0; at < name.length; at++) if (this.#input[start + 1 + at] !== name[at]) return false;
    return true;
  }

  #readValue(column: number): void {
    const cursor = this.#cursor;
    this.#kinds[column] = cursor.readValue();
    this.#starts[column] = cursor.start;
    this.#ends[column] = cursor.end;
    this.#rows[column] = this.#row;
  }

  #write(): void {
    const out = this.#out;
    const columns = this.#columns;
    for (let at = 0; at < columns.length; at++) {
      if (at > 0) out.byte(COMMA);
      if (this.#rows[at] !== this.#row || this.#kinds[at] === Kind.null) continue;
      const column = columns[at] as RowColumn;
      if (this.#sure[at] && !this.#isSure(at, column)) this.#sure[at] = false;
      if (column.encoding !== undefined) this.#writeEncoded(at, column);
      else {
        if (column.scale !== undefined) this.#requireDigits(at, column, column.scale);
        this.#writePlain(at);
      }
    }
    out.byte(NEWLINE);
  }

  #writePlain(at: number): void {
    const [start, end] = [this.#starts[at] as number, this.#ends[at] as number];
    const kind = this.#kinds[at];
    if (kind === Kind.escaped) this.#writeText(this.#stringAt(at));
    else if (kind === Kind.nested) this.#writeText(this.#textAt(start, end));
    // A string without escapes is written the same way in CSV: its quotes are there, and there is none inside.
    else this.#out.slice(this.#input, start, end);
  }

  /** Whether a value has the form that its column takes without a check. */
  #isSure(at: number, { sure, scale = 0 }: RowColumn): boolean {
    const kind = this.#kinds[at];
    const [start, end] = [this.#starts[at] as number, this.#ends[at] as number];
    switch (sure) {
      case "any":
        return true;
      case "integer":
        return kind === Kind.integer || (kind === Kind.text && plainNumber(this.#input, start + 1, end - 1) === 0);
      case "number":
        return kind === Kind.integer || kind === Kind.number;
      case "boolean":
        return kind === Kind.boolean;
      case "decimal":
        return this.#isDecimal(at, scale);
      case "date":
        return kind === Kind.text && end - start === 12 && this.#hasAt(start + 1, "    -  -");
      case "timestamp":
        // With so many characters, and colons there, no room is left for an offset.
        return kind === Kind.text && end - start === 21 && this.#hasAt(start + 1, "    -  -     :  :");
      default:
        return false;
    }
  }

  #isDecimal(at: number, scale: number): boolean {
    const kind = this.#kinds[at];
    const quotes = kind === Kind.text ? 1 : 0;
    if (quotes === 0 && kind !== Kind.integer && kind !== Kind.number) return false;
    const digits = plainNumber(this.#input, (this.#starts[at] as number) + quotes, (this.#ends[at] as number) - quotes);
    return digits >= 0 && digits <= scale;
  }

  /** Whether the characters of a pattern stand there; a space in it is any. */
  #hasAt(start: number, pattern: string): boolean {
    for (let at = 0; at < pattern.length; at++) {
      const code = pattern.charCodeAt(at);
      if (code !== 0x20 && this.#input[start + at] !== code) return false;
    }
    return true;
  }

  /** The engine would round what is finer. */
  #requireDigits(at: number, column: RowColumn, scale: number): void {
    if (this.#sure[at]) return;
    const text = this.#valueAt(at);
    if (hasMoreDigits(text, scale)) throw misfit(this.#number, column, text);
  }

  #writeEncoded(at: number, column: RowColumn): void {
    const [start, end] = [this.#starts[at] as number, this.#ends[at] as number];
    if (column.encoding === "json") this.#writeText(this.#textAt(start, end));
    else this.#writeBytes(this.#valueAt(at), this.#isText(at), column);
  }

  #isText(at: number): boolean {
    return this.#kinds[at] === Kind.text || this.#kinds[at] === Kind.escaped;
  }

  /** A string without its quotes, or the text of another value. */
  #valueAt(at: number): string {
    return this.#isText(at) ? this.#stringAt(at) : this.#textAt(this.#starts[at] as number, this.#ends[at] as number);
  }

  #writeBytes(text: string, isText: boolean, column: RowColumn): void {
    if (!isText || !BASE64.test(text) || text.length % 4 !== 0) throw misfit(this.#number, column, text);
    const hex = Buffer.from(text, "base64").toString("hex");
    this.#out.text(hex === "" ? '""' : hex);
  }

  #writeText(text: string): void {
    const out = this.#out;
    out.byte(QUOTE);
    out.text(text.replaceAll('"', '""'));
    out.byte(QUOTE);
  }

  #stringAt(at: number): string {
    return this.#cursor.string(this.#starts[at], this.#ends[at]);
  }

  #textAt(start: number, end: number): string {
    return this.#cursor.text(start, end);
  }
}

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;
const DECIMAL = /^[+-]?[0-9]*\.?([0-9]*)$/;

/** Whether a decimal's text has digits that matter beyond `scale` ones after the point. */
export function hasMoreDigits(text: string, scale: number): boolean {
  const point = text.indexOf(".");
  if (point >= 0 ? text.length - point - 1 <= scale : !/[eE]/.test(text)) return false;
  const fraction = DECIMAL.exec(text)?.[1];
  // What is written with an exponent, or is no number, the engine may say.
  if (fraction === undefined) return /[eE]/.test(text);
  return /[1-9]/.test(fraction.slice(scale));
}
