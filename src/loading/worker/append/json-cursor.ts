/** What a JSON value is, by its text. */
export const Kind = { null: 0, integer: 1, number: 2, boolean: 3, text: 4, escaped: 5, nested: 6 } as const;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const NEWLINE = 0x0a;
const MAX_DEPTH = 256;
const NUMBER = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/;
const LITERALS = [
  { bytes: Buffer.from("null"), kind: Kind.null },
  { bytes: Buffer.from("true"), kind: Kind.boolean },
  { bytes: Buffer.from("false"), kind: Kind.boolean },
];

/** Goes through JSON text value by value without making anything of it. Throws SyntaxError. */
export class JsonCursor {
  /** The value that was read last: from here … */
  start = 0;
  /** … to here. */
  end = 0;
  readonly #input: Uint8Array;
  readonly #buffer: Buffer;
  #at = 0;

  constructor(input: Uint8Array) {
    this.#input = input;
    this.#buffer = Buffer.from(input.buffer, input.byteOffset, input.length);
  }

  /** The byte at hand; −1 at the end. */
  peek(): number {
    return this.#at < this.#input.length ? (this.#input[this.#at] as number) : -1;
  }

  /** The next byte on this line that is no space; −1 at the end. */
  peekToken(): number {
    this.#skipBlanks();
    return this.peek();
  }

  /** Goes over spaces and line ends. */
  skipSpace(): void {
    while (isSpace(this.peek())) this.#at++;
  }

  take(byte: number, complaint?: string): void {
    if (this.peekToken() !== byte)
      throw new SyntaxError(complaint ?? `${this.#described()} stands where ${JSON.stringify(char(byte))} is expected`);
    this.#at++;
  }

  /** A row ends with its line. */
  endLine(): void {
    const byte = this.peekToken();
    if (byte !== -1 && byte !== NEWLINE) throw new SyntaxError(`${this.#described()} follows it on its line`);
  }

  /** Goes over one value; answers its kind. */
  readValue(): number {
    this.#skipBlanks();
    this.start = this.#at;
    const byte = this.peek();
    let kind: number;
    if (byte === QUOTE) kind = this.#readString();
    else if (byte === 0x7b || byte === 0x5b) kind = this.#readNested();
    else kind = this.#readWord();
    this.end = this.#at;
    return kind;
  }

  /** The text of the value between two places. */
  text(start: number, end: number): string {
    return this.#buffer.toString("utf8", start, end);
  }

  /** The string between two places, the last one that was read by default. */
  string(start = this.start, end = this.end): string {
    const json = this.text(start, end);
    let value: unknown;
    try {
      value = JSON.parse(json);
    } catch {
      throw new SyntaxError(`the string ${json.slice(0, 100)} has an escape that JSON does not have`);
    }
    if (typeof value !== "string" || !value.isWellFormed() || value.includes("\0"))
      throw new SyntaxError(`the string ${json.slice(0, 100)} holds what is no character`);
    return value;
  }

  #skipBlanks(): void {
    for (;;) {
      const byte = this.peek();
      if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0d) return;
      this.#at++;
    }
  }

  #readString(): number {
    const input = this.#input;
    let at = this.#at + 1;
    let kind: number = Kind.text;
    for (; ; at++) {
      const byte = input[at];
      if (byte === QUOTE) break;
      if (byte === BACKSLASH) {
        kind = Kind.escaped;
        at++;
      } else if (byte === undefined || byte < 0x20) throw new SyntaxError("a string does not end on its line");
    }
    this.#at = at + 1;
    return kind;
  }

  /** Checked as a whole: what stands in it is rare, and goes to the engine as text. */
  #readNested(): number {
    const input = this.#input;
    let depth = 0;
    do {
      const byte = this.peek();
      if (byte === QUOTE) {
        this.#readString();
        continue;
      }
      if (byte === -1 || byte === NEWLINE) throw new SyntaxError("a bracket is not closed on its line");
      if (byte === 0x7b || byte === 0x5b) depth++;
      else if (byte === 0x7d || byte === 0x5d) depth--;
      if (depth > MAX_DEPTH) throw new SyntaxError(`brackets are nested more than ${MAX_DEPTH} deep`);
      this.#at++;
    } while (depth > 0 && this.#at <= input.length);
    try {
      JSON.parse(this.text(this.start, this.#at));
    } catch {
      throw new SyntaxError(`${this.text(this.start, this.#at).slice(0, 100)} is not JSON`);
    }
    return Kind.nested;
  }

  #readWord(): number {
    const input = this.#input;
    let at = this.#at;
    const first = input[at];
    const isNumber = first === 0x2d || (first !== undefined && first >= 0x30 && first <= 0x39);
    while (isWord(input[at])) at++;
    const [start, end] = [this.#at, at];
    this.#at = at;
    if (isNumber) {
      const plain = plainNumber(input, start, end);
      if (plain === 0) return Kind.integer;
      if (plain > 0 || NUMBER.test(this.text(start, end))) return Kind.number;
      throw new SyntaxError(`${this.text(start, end).slice(0, 100)} is no number`);
    }
    for (const { bytes, kind } of LITERALS) if (this.#is(bytes, start, end)) return kind;
    this.#at = start;
    throw new SyntaxError(`${this.#described()} stands where a value is expected`);
  }

  #is(bytes: Uint8Array, start: number, end: number): boolean {
    if (end - start !== bytes.length) return false;
    for (let at = 0; at < bytes.length; at++) if (this.#input[start + at] !== bytes[at]) return false;
    return true;
  }

  #described(): string {
    const byte = this.peek();
    if (byte === -1) return "the end";
    if (byte === NEWLINE) return "the line's end";
    const end = Math.min(this.#input.length, this.#at + 20);
    return JSON.stringify(this.text(this.#at, end).split("\n")[0]);
  }
}

/**
 * How many digits the usual number has after its point, told without a regular expression; −1 for a text that is another number
 * or none.
 */
export function plainNumber(input: Uint8Array, start: number, end: number): number {
  const first = input[start] === 0x2d ? start + 1 : start;
  let point = -1;
  for (let at = first; at < end; at++) {
    const byte = input[at] as number;
    if (byte === 0x2e && point < 0) point = at;
    else if (byte < 0x30 || byte > 0x39) return -1;
  }
  const whole = (point < 0 ? end : point) - first;
  if (whole < 1 || (whole > 1 && input[first] === 0x30) || point === end - 1) return -1;
  return point < 0 ? 0 : end - point - 1;
}

function char(byte: number): string {
  return String.fromCharCode(byte);
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** Letters, digits and what numbers are made of. */
function isWord(byte: number | undefined): boolean {
  if (byte === undefined) return false;
  return (
    (byte >= 0x30 && byte <= 0x39) ||
    byte === 0x2d ||
    byte === 0x2b ||
    byte === 0x2e ||
    (byte >= 0x61 && byte <= 0x7a) ||
    (byte >= 0x41 && byte <= 0x5a)
  );
}
