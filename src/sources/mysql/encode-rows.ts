import { type FieldForm, isDay, isDayEnd, type TextForm } from "./text-form.ts";
import { noTimeOfDay, zeroDate } from "./value-error.ts";

const QUOTE = 0x22;
const COMMA = 0x2c;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const ZERO = 0x30;
const COLON = 0x3a;
const MINUS = 0x2d;
const POINT = 0x2e;
const HEX = Buffer.from("0123456789abcdef");
const UTC = Buffer.from("+00");
const CHUNK_BYTES = 1024 * 1024;
/** Room for what a field takes besides twice its bytes: comma, quotes, an offset, the row's end. */
const FIELD_ROOM = 16;

/**
 * Rows of raw fields, as the protocol's text has them, into text of the exchange dialect. Byte by byte, because a string for
 * each of 16 million values takes several times as long.
 */
export class RowEncoder {
  readonly #fields: readonly FieldForm[];
  readonly #forms: readonly TextForm[];
  #out: Buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  #at = 0;

  constructor(fields: readonly FieldForm[]) {
    this.#fields = fields;
    this.#forms = fields.map(({ form }) => form);
  }

  /** Adds a row; answers a chunk when enough have come together. */
  add(row: readonly (Buffer | null)[]): Buffer | undefined {
    const forms = this.#forms;
    let room = 1;
    for (const value of row) room += FIELD_ROOM + (value === null ? 0 : 2 * value.length);
    const full = this.#at + room > this.#out.length ? this.#renew(room) : undefined;
    const out = this.#out;
    let at = this.#at;
    for (let index = 0; index < forms.length; index++) {
      if (index > 0) out[at++] = COMMA;
      const value = row[index];
      if (value === null || value === undefined) continue;
      switch (forms[index]) {
        case "plain":
          for (let from = 0; from < value.length; from++) out[at++] = value[from] as number;
          break;
        case "text":
          at = putText(out, at, value);
          break;
        case "binary":
          at = putHex(out, at, value);
          break;
        default:
          at = this.#putTime(out, at, value, index);
      }
    }
    out[at++] = LINE_FEED;
    this.#at = at;
    return full;
  }

  /** What is left. */
  finish(): Buffer | undefined {
    return this.#at === 0 ? undefined : this.#renew(0);
  }

  #renew(room: number): Buffer | undefined {
    const full = this.#at === 0 ? undefined : this.#out.subarray(0, this.#at);
    this.#out = Buffer.allocUnsafe(Math.max(CHUNK_BYTES, room));
    this.#at = 0;
    return full;
  }

  #putTime(out: Buffer, at: number, value: Buffer, index: number): number {
    const field = this.#fields[index] as FieldForm;
    if (field.form === "seconds") return putSeconds(out, at, value);
    if (field.form === "timeOfDay") {
      if (!isTimeOfDay(value)) throw noTimeOfDay(field.name, value.toString());
    } else if (!isDate(value)) {
      if (field.zeroDatesAreNull) return at;
      throw zeroDate(field.name, value.toString());
    }
    let end = at;
    for (let from = 0; from < value.length; from++) out[end++] = value[from] as number;
    if (field.form === "instant") for (const byte of UTC) out[end++] = byte;
    return end;
  }
}

function putText(out: Buffer, start: number, value: Buffer): number {
  const { length } = value;
  let at = start;
  let from = 0;
  for (; from < length; from++) {
    const byte = value[from] as number;
    if (byte === QUOTE || byte === COMMA || byte === LINE_FEED || byte === CARRIAGE_RETURN) break;
    out[at++] = byte;
  }
  if (from === length && length > 0) return at;
  at = start;
  out[at++] = QUOTE;
  for (from = 0; from < length; from++) {
    const byte = value[from] as number;
    if (byte === QUOTE) out[at++] = QUOTE;
    out[at++] = byte;
  }
  out[at++] = QUOTE;
  return at;
}

function putHex(out: Buffer, start: number, value: Buffer): number {
  let at = start;
  if (value.length === 0) {
    out[at++] = QUOTE;
    out[at++] = QUOTE;
  }
  for (let from = 0; from < value.length; from++) {
    const byte = value[from] as number;
    out[at++] = HEX[byte >> 4] as number;
    out[at++] = HEX[byte & 15] as number;
  }
  return at;
}

/** `YYYY-MM-DD`, whatever follows. */
function isDate(value: Buffer): boolean {
  return isDay(number(value, 0, 4), number(value, 5, 7), number(value, 8, 10));
}

/** `hh:mm:ss` with a fraction, up to the end of a day. */
function isTimeOfDay(value: Buffer): boolean {
  if (value[0] === MINUS || value[2] !== COLON) return false;
  return number(value, 0, 2) < 24 || isDayEnd(value.toString("latin1"));
}

function putSeconds(out: Buffer, start: number, value: Buffer): number {
  let at = start;
  let from = 0;
  if (value[0] === MINUS) {
    out[at++] = MINUS;
    from = 1;
  }
  const hoursEnd = value.indexOf(COLON);
  const seconds =
    number(value, from, hoursEnd) * 3_600 +
    number(value, hoursEnd + 1, hoursEnd + 3) * 60 +
    number(value, hoursEnd + 4, hoursEnd + 6);
  at += out.write(String(seconds), at, "latin1");
  const fraction = hoursEnd + 6;
  if (value[fraction] === POINT)
    for (let next = fraction; next < value.length; next++) out[at++] = value[next] as number;
  return at;
}

function number(value: Buffer, from: number, to: number): number {
  let result = 0;
  for (let at = from; at < to; at++) result = result * 10 + ((value[at] ?? ZERO) - ZERO);
  return result;
}
