import {
  BOOLEAN,
  DIGITS,
  decimalPattern,
  floatPattern,
  INTEGER,
  ISO_DATE,
  TIME,
  TIMESTAMP_TZ,
  timestampPattern,
  whole,
} from "./text-patterns.ts";

/** What all values of a column have in common; NULLs aside. */
export interface TextStats {
  readonly values: number;
  readonly integer: boolean;
  /** Integers that all fit 64 bits. */
  readonly fits64: boolean;
  /** Digits only, but some with leading zeros. */
  readonly leadingZeros: boolean;
  readonly decimal: boolean;
  /** Numbers that a double can hold as far as its range goes; at least one is more than NaN or infinity. */
  readonly float: boolean;
  readonly maxSignificant: number;
  readonly maxIntegerDigits: number;
  readonly maxScale: number;
  readonly boolean: boolean;
  readonly date: boolean;
  readonly timestamp: boolean;
  readonly timestampNs: boolean;
  readonly timestampTz: boolean;
  readonly time: boolean;
}

/** A double keeps every decimal number of this many significant digits. */
export const DOUBLE_DIGITS = 15;
const MAX_DECIMAL_DIGITS = 38;

/** The narrowest type that loses nothing of any value. */
export function chooseType(stats: TextStats): string {
  if (stats.values === 0) return "VARCHAR";
  if (stats.integer && stats.fits64) return "BIGINT";
  if (stats.integer) return stats.maxIntegerDigits <= MAX_DECIMAL_DIGITS ? "DECIMAL(38,0)" : "VARCHAR";
  if (stats.float && stats.maxSignificant <= DOUBLE_DIGITS) return "DOUBLE";
  if (stats.decimal && stats.maxIntegerDigits + stats.maxScale <= MAX_DECIMAL_DIGITS) {
    const width = stats.maxIntegerDigits + stats.maxScale <= 18 ? 18 : MAX_DECIMAL_DIGITS;
    return `DECIMAL(${width},${stats.maxScale})`;
  }
  if (stats.boolean) return "BOOLEAN";
  if (stats.date) return "DATE";
  if (stats.timestamp) return "TIMESTAMP";
  if (stats.timestampNs) return "TIMESTAMP_NS";
  if (stats.timestampTz) return "TIMESTAMP WITH TIME ZONE";
  if (stats.time) return "TIME";
  return "VARCHAR";
}

/** Why a column of numbers did not become a plain number type; undefined when it did or holds no numbers. */
export function exactnessNote(stats: TextStats, type: string): string | undefined {
  if (stats.values === 0) return undefined;
  if (stats.leadingZeros && type === "VARCHAR") return "it is read as VARCHAR, since a number would lose leading zeros";
  if (stats.integer && type !== "BIGINT") return `it is read as ${type}, since its integers are wider than 64 bits`;
  if (stats.float && type !== "BIGINT" && type !== "DOUBLE")
    return `it is read as ${type}, since DOUBLE would lose digits beyond the ${DOUBLE_DIGITS}th`;
  return undefined;
}

const full = (pattern: string) => new RegExp(`^${whole(pattern)}$`);
const PATTERNS = {
  integer: full(INTEGER),
  digits: full(DIGITS),
  boolean: full(BOOLEAN),
  date: full(ISO_DATE),
  timestamp: full(timestampPattern(6)),
  timestampNs: full(timestampPattern(9)),
  timestampTz: full(TIMESTAMP_TZ),
  time: full(TIME),
};

// Made once: 2,000 columns would compile 8,000 expressions, which took 80 ms of the event loop.
const NUMBERS = {
  ".": { decimal: full(decimalPattern(".")), float: full(floatPattern(".")) },
  ",": { decimal: full(decimalPattern(",")), float: full(floatPattern(",")) },
};

/** Gathers the statistics of sampled values. */
export function statsOf(values: Iterable<string>, separator: "." | ","): TextStats {
  const collector = new StatsCollector(separator);
  for (const value of values) collector.add(value);
  return collector.stats();
}

const DIGIT_0 = 48;
const DIGIT_9 = 57;
const MINUS = 45;

/** Gathers statistics value by value; a value of a column that is known to be text costs next to nothing. */
export class StatsCollector {
  readonly #separator: "." | ",";
  #integer = true;
  #fits64 = true;
  #digits = true;
  #decimal = true;
  #float = true;
  #boolean = true;
  #date = true;
  #timestamp = true;
  #timestampNs = true;
  #timestampTz = true;
  #time = true;
  /** Whether any type but text can still hold all values. */
  #open = true;
  /** Whether all values so far were short whole numbers in their usual form. */
  #plain = true;
  #count = 0;
  #real = false;
  #maxSignificant = 0;
  #maxIntegerDigits = 0;
  #maxScale = 0;

  constructor(separator: "." | "," = ".") {
    this.#separator = separator;
  }

  add(value: string): void {
    this.#count++;
    if (!this.#open) return;
    if (this.#plain && isPlainInteger(value)) {
      const digits = value.charCodeAt(0) === MINUS ? value.length - 1 : value.length;
      // Otherwise there is nothing new about it.
      if (digits > this.#maxSignificant) this.#addPlain(value, digits);
      return;
    }
    if (this.#isNoNews(value)) return;
    this.#addAny(value);
  }

  /** No type but text can hold the values. */
  giveUp(): void {
    this.#integer = this.#fits64 = this.#digits = this.#decimal = this.#float = this.#boolean = false;
    this.#date = this.#timestamp = this.#timestampNs = this.#timestampTz = this.#time = false;
    this.#open = this.#plain = false;
  }

  stats(): TextStats {
    return {
      integer: this.#integer,
      fits64: this.#fits64,
      decimal: this.#decimal,
      boolean: this.#boolean,
      date: this.#date,
      timestamp: this.#timestamp,
      timestampNs: this.#timestampNs,
      timestampTz: this.#timestampTz,
      time: this.#time,
      values: this.#count,
      leadingZeros: this.#digits && !this.#integer,
      float: this.#float && this.#real,
      maxSignificant: this.#maxSignificant,
      maxIntegerDigits: this.#maxIntegerDigits,
      maxScale: this.#maxScale,
    };
  }

  /** Whether a date or a number is like those before it in all that is asked: by its letters, faster than by patterns. */
  #isNoNews(value: string): boolean {
    if (this.#date) return !this.#decimal && !this.#time && !this.#boolean && isPlainDate(value, DATE_LENGTH);
    if (this.#timestamp) return !this.#decimal && !this.#timestampTz && isPlainTimestamp(value);
    if (!this.#decimal || this.#integer || this.#timestampNs) return false;
    const point = plainPoint(value, this.#separator);
    if (point < 0) return false;
    const whole = value.charCodeAt(0) === MINUS ? point - 1 : point;
    const scale = value.length - point - 1;
    return whole <= this.#maxIntegerDigits && scale <= this.#maxScale && whole + scale <= this.#maxSignificant;
  }

  #addPlain(value: string, digits: number): void {
    this.#real = true;
    this.#boolean = this.#date = this.#timestamp = this.#timestampNs = this.#timestampTz = this.#time = false;
    if (value !== "0") this.#maxIntegerDigits = Math.max(this.#maxIntegerDigits, digits);
    this.#maxSignificant = Math.max(this.#maxSignificant, value.replace("-", "").replace(/0+$/, "").length);
  }

  #addAny(value: string): void {
    this.#plain = false;
    if (this.#digits) this.#digits = PATTERNS.digits.test(value);
    if (this.#integer) this.#integer = PATTERNS.integer.test(value);
    if (this.#fits64) this.#fits64 = this.#integer && fits64(value.trim());
    if (this.#decimal) this.#decimal = NUMBERS[this.#separator].decimal.test(value);
    if (this.#float) this.#addFloat(value);
    if (this.#boolean) this.#boolean = PATTERNS.boolean.test(value);
    if (this.#timestamp || this.#timestampNs || this.#timestampTz) this.#addDay(value);
    if (this.#time) this.#time = PATTERNS.time.test(value);
    this.#open =
      this.#digits ||
      this.#decimal ||
      this.#float ||
      this.#boolean ||
      this.#timestamp ||
      this.#timestampNs ||
      this.#timestampTz ||
      this.#time;
  }

  #addDay(value: string): void {
    const year = yearOfDay(value);
    const isDay = year !== undefined;
    if (this.#date) this.#date = isDay && PATTERNS.date.test(value);
    if (this.#timestamp) this.#timestamp = isDay && PATTERNS.timestamp.test(value);
    if (this.#timestampNs) this.#timestampNs = isDay && isYearOfNs(year) && PATTERNS.timestampNs.test(value);
    if (this.#timestampTz) this.#timestampTz = isDay && PATTERNS.timestampTz.test(value);
  }

  #addFloat(value: string): void {
    this.#float = NUMBERS[this.#separator].float.test(value) && inRange(value, this.#separator);
    if (!this.#float) return;
    this.#real ||= /[0-9]/.test(value);
    const digits = digitsOf(value, this.#separator);
    this.#maxSignificant = Math.max(this.#maxSignificant, digits.significant);
    this.#maxIntegerDigits = Math.max(this.#maxIntegerDigits, digits.integer);
    this.#maxScale = Math.max(this.#maxScale, digits.scale);
  }
}

/** A whole number of at most 15 digits without leading zeros or a plus. */
function isPlainInteger(value: string): boolean {
  const first = value.charCodeAt(0);
  const start = first === MINUS ? 1 : 0;
  const length = value.length - start;
  if (length < 1 || length > DOUBLE_DIGITS) return false;
  if (value.charCodeAt(start) === DIGIT_0 && value.length > 1) return false;
  for (let at = start; at < value.length; at++) {
    const code = value.charCodeAt(at);
    if (code < DIGIT_0 || code > DIGIT_9) return false;
  }
  return true;
}

const DATE_LENGTH = 10;
const TIMESTAMP_LENGTH = 19;
const DASH = 45;
const COLON = 58;

/** `YYYY-MM-DD`, at the beginning of a text of this length; days beyond the 28th take the long way. */
function isPlainDate(value: string, length: number): boolean {
  if (value.length !== length || value.charCodeAt(4) !== DASH || value.charCodeAt(7) !== DASH) return false;
  // Other centuries take it, too.
  if (!isWithin(value, 0, 17, 21) || !isDigit(value, 2) || !isDigit(value, 3)) return false;
  return isWithin(value, 5, 1, 12) && isWithin(value, 8, 1, 28);
}

/** Every month has it. */
const LAST_DAY_OF_ALL = 28;

/** The year of the day at the beginning of a text; undefined where the calendar has no such day: the patterns let a 30th of February pass, and `2024/01-01`. */
function yearOfDay(value: string): number | undefined {
  const [, year, , month, day] = /^[ \t]*([0-9]{4})([-/])([0-9]{2})\2([0-9]{2})/.exec(value) ?? [];
  if (day === undefined) return undefined;
  const time = new Date(0);
  time.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  return Number(day) <= LAST_DAY_OF_ALL || time.getUTCDate() === Number(day) ? Number(year) : undefined;
}

/** Whether 64 bits of nanoseconds reach all of a year. */
function isYearOfNs(year: number): boolean {
  return year >= 1678 && year <= 2261;
}

/** `YYYY-MM-DD hh:mm:ss`. */
function isPlainTimestamp(value: string): boolean {
  if (!isPlainDate(value, TIMESTAMP_LENGTH)) return false;
  const between = value[DATE_LENGTH];
  if ((between !== " " && between !== "T") || value.charCodeAt(13) !== COLON || value.charCodeAt(16) !== COLON)
    return false;
  return isWithin(value, 11, 0, 23) && isWithin(value, 14, 0, 59) && isWithin(value, 17, 0, 59);
}

function isDigit(value: string, at: number): boolean {
  const code = value.charCodeAt(at);
  return code >= DIGIT_0 && code <= DIGIT_9;
}

function isWithin(value: string, at: number, least: number, most: number): boolean {
  const number = (value.charCodeAt(at) - DIGIT_0) * 10 + value.charCodeAt(at + 1) - DIGIT_0;
  return isDigit(value, at) && isDigit(value, at + 1) && number >= least && number <= most;
}

/** Where the point of a number such as `-12.50` is: digits on both sides, no leading zeros. -1 for anything else. */
function plainPoint(value: string, separator: "." | ","): number {
  const start = value.charCodeAt(0) === MINUS ? 1 : 0;
  const mark = separator.charCodeAt(0);
  let point = -1;
  for (let at = start; at < value.length; at++) {
    if (isDigit(value, at)) continue;
    if (point >= 0 || value.charCodeAt(at) !== mark) return -1;
    point = at;
  }
  const isWhole = point > start && (point === start + 1 || value.charCodeAt(start) !== DIGIT_0);
  return isWhole && point < value.length - 1 ? point : -1;
}

function fits64(text: string): boolean {
  if (text.length <= 18) return true;
  return BigInt.asIntN(64, BigInt(text.replace(/^\+/, ""))) === BigInt(text.replace(/^\+/, ""));
}

/** Neither beyond a double's range nor rounded down to nothing. */
function inRange(value: string, separator: "." | ","): boolean {
  if (!/[0-9]/.test(value)) return true;
  const number = Number(value.replace(separator, "."));
  return Number.isFinite(number) && (number !== 0 || !/[1-9]/.test(value.replace(/[eE].*$/, "")));
}

function digitsOf(value: string, separator: "." | ","): { significant: number; integer: number; scale: number } {
  const mantissa = value.trim().replace(/[eE].*$/, "");
  const point = mantissa.indexOf(separator);
  const whole = (point < 0 ? mantissa : mantissa.slice(0, point)).replace(/[^0-9]/g, "");
  const fraction = point < 0 ? "" : mantissa.slice(point + 1);
  return {
    significant: (whole + fraction).replace(/^0+|0+$/g, "").length,
    integer: whole === "0" ? 0 : whole.length,
    scale: fraction.length,
  };
}
