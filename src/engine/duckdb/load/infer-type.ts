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
  const { decimal, float } = NUMBERS[separator];
  const all = {
    integer: true,
    fits64: true,
    digits: true,
    decimal: true,
    float: true,
    boolean: true,
    date: true,
    timestamp: true,
    timestampNs: true,
    timestampTz: true,
    time: true,
  };
  let count = 0;
  let real = false;
  let maxSignificant = 0;
  let maxIntegerDigits = 0;
  let maxScale = 0;
  for (const value of values) {
    count++;
    if (all.digits) all.digits = PATTERNS.digits.test(value);
    if (all.integer) all.integer = PATTERNS.integer.test(value);
    if (all.fits64) all.fits64 = all.integer && fits64(value.trim());
    if (all.decimal) all.decimal = decimal.test(value);
    if (all.float) all.float = float.test(value) && inRange(value, separator);
    if (all.float) {
      real ||= /[0-9]/.test(value);
      const digits = digitsOf(value, separator);
      maxSignificant = Math.max(maxSignificant, digits.significant);
      maxIntegerDigits = Math.max(maxIntegerDigits, digits.integer);
      maxScale = Math.max(maxScale, digits.scale);
    }
    if (all.boolean) all.boolean = PATTERNS.boolean.test(value);
    if (all.date) all.date = PATTERNS.date.test(value);
    if (all.timestamp) all.timestamp = PATTERNS.timestamp.test(value);
    if (all.timestampNs) all.timestampNs = PATTERNS.timestampNs.test(value);
    if (all.timestampTz) all.timestampTz = PATTERNS.timestampTz.test(value);
    if (all.time) all.time = PATTERNS.time.test(value);
  }
  return {
    ...all,
    values: count,
    leadingZeros: all.digits && !all.integer,
    float: all.float && real,
    maxSignificant,
    maxIntegerDigits,
    maxScale,
  };
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
