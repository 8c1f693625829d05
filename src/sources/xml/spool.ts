import { closeSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { DriverError } from "../../errors/driver-error.ts";
import { MAX_RECORD_BYTES } from "./limits.ts";
import { Refusal } from "./refusal.ts";

/** A file of records in the exchange dialect. */
export interface SpooledFile {
  readonly path: string;
  /** Fields of each of its rows. */
  readonly width: number;
  readonly bytes: number;
  /** The number of its first record among all, from 1. */
  readonly first: number;
}

/** Rows are gathered in it; ropes of many rows would be copied by every collection of garbage. */
const BUFFER_BYTES = 1024 * 1024;
/** What a character of a value takes at most: one that JSON escapes takes six bytes, a quote two backslashes and quotes. */
const FIELD_CHARACTER_BYTES = 6;
const NEEDS_QUOTES = /[",\r\n]/;
/** Shorter values are copied letter by letter, which takes less than asking for their pattern. */
const SHORT_LENGTH = 24;
const QUOTE = 0x22;
const COMMA = 0x2c;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const ASCII_END = 0x80;
/** A text that is not empty, several of them, or nothing. */
export type FieldValue = string | readonly (string | null)[] | undefined;

/** Room for columns that appear later. */
const SPARE = 4;

/**
 * Writes rows of the exchange dialect whose number of fields grows: a file leaves room for some more, and a row that needs more
 * than that begins a file with half as many again, so that there are few files. Written at once, since the parser does not wait.
 */
export class RecordSpool implements Disposable {
  readonly files: SpooledFile[] = [];
  readonly #directory: string;
  readonly #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  #used = 0;
  #file: number | undefined;
  #path = "";
  #width = 0;
  #first = 1;
  #bytes = 0;
  rows = 0;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /**
   * Writes one row. `length` is the number of characters of its values, the commas of lists included: it bounds what the row takes.
   */
  row(values: readonly FieldValue[], fields: number, length: number): void {
    if (fields > this.#width) this.#next(fields);
    this.rows++;
    const most = (length + fields + SPARE + this.#width) * FIELD_CHARACTER_BYTES;
    if (most > BUFFER_BYTES) {
      this.#long(values, fields);
      return;
    }
    if (most > BUFFER_BYTES - this.#used) this.#flush();
    const buffer = this.#buffer;
    let at = this.#used;
    for (let index = 0; index < fields; index++) {
      const value = values[index];
      if (value !== undefined)
        at = typeof value === "string" ? writeField(buffer, at, value) : at + buffer.write(listField(value), at);
      if (index < this.#width - 1) buffer[at++] = COMMA;
    }
    for (let index = fields; index < this.#width - 1; index++) buffer[at++] = COMMA;
    buffer[at++] = LINE_FEED;
    this.#used = at;
  }

  /** Closes the last file. */
  end(): void {
    if (this.#file === undefined) return;
    this.#flush();
    closeSync(this.#file);
    this.#file = undefined;
    this.files.push({ path: this.#path, width: this.#width, bytes: this.#bytes, first: this.#first });
  }

  [Symbol.dispose](): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #next(fields: number): void {
    this.end();
    this.#width = fields + Math.max(SPARE, Math.floor(fields / 2));
    this.#first = this.rows + 1;
    this.#bytes = 0;
    this.#path = join(this.#directory, `records-${this.files.length}.csv`);
    this.#file = openSync(this.#path, "wx", 0o600);
  }

  #long(values: readonly FieldValue[], fields: number): void {
    let text = "";
    for (let index = 0; index < this.#width; index++) {
      const value = index < fields ? values[index] : undefined;
      if (index > 0) text += ",";
      if (value !== undefined) text += typeof value === "string" ? field(value) : listField(value);
    }
    const bytes = Buffer.from(`${text}\n`);
    if (bytes.length > MAX_RECORD_BYTES)
      throw new Refusal("XML_LIMIT", `a record has more than ${MAX_RECORD_BYTES} bytes`, {
        limit: String(MAX_RECORD_BYTES),
      });
    this.#flush();
    this.#write(bytes);
  }

  #flush(): void {
    this.#write(this.#buffer.subarray(0, this.#used));
    this.#used = 0;
  }

  #write(bytes: Buffer): void {
    this.#bytes += bytes.length;
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#file ?? -1, bytes, at);
    } catch (error) {
      const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
      throw new DriverError("DISK_FULL", `the records can't be written to disk: ${code}`, { cause: error });
    }
  }
}

/** Writes a value at a place of the buffer; answers where it ends. */
function writeField(buffer: Buffer, start: number, value: string): number {
  if (value.length > SHORT_LENGTH) return start + buffer.write(field(value), start);
  let at = start;
  for (let index = 0; index < value.length; index++) {
    const code = value.charCodeAt(index);
    const isPlain =
      code < ASCII_END && code !== QUOTE && code !== COMMA && code !== LINE_FEED && code !== CARRIAGE_RETURN;
    if (!isPlain) return start + buffer.write(field(value), start);
    buffer[at++] = code;
  }
  return at;
}

/** A value as a field of the exchange dialect. It is not empty. */
function field(value: string): string {
  return NEEDS_QUOTES.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON escapes them
const NEEDS_ESCAPE = /["\\\u0000-\u001F]/;

/** A list as a field, told from a single value by its first character, which no XML document can hold. */
function listField(values: readonly (string | null)[]): string {
  let text = "";
  for (const value of values) {
    if (text !== "") text += ",";
    if (value === null) text += "null";
    else text += NEEDS_ESCAPE.test(value) ? JSON.stringify(value).replaceAll('"', '""') : `""${value}""`;
  }
  return `"\u0001[${text}]"`;
}
