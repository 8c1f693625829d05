/**
 * How a column's text of MySQL's protocol becomes a field of the exchange dialect. The same rules stand twice: for bytes
 * (encode-rows.ts, the fast way) and for texts (typed-rows.ts); tests compare both.
 */
export type TextForm =
  /** Digits and the like: never in need of quotes. */
  | "plain"
  | "text"
  /** Bytes, which become hexadecimal digits. */
  | "binary"
  /** A date, which must be one of the calendar. */
  | "date"
  /** A date with a time. */
  | "dateTime"
  /** The same in UTC, because the session's zone is UTC: it gets the offset that says so. */
  | "instant"
  /** A time of day: 00:00:00 to 24:00:00. */
  | "timeOfDay"
  /** A length of time as seconds: `-838:59:59.5` becomes `-3020399.5`. */
  | "seconds";

/** What happens to dates that no calendar has: `0000-00-00`, `2024-00-10`, `2024-02-31`. */
export type ZeroDates = "fail" | "null" | "text";

/** What one field is turned by. */
export interface FieldForm {
  readonly name: string;
  readonly form: TextForm;
  /** Zero dates become NULL instead of an error. */
  readonly zeroDatesAreNull: boolean;
}

const MONTH_DAYS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;

/** Whether the (proleptic Gregorian) calendar has the day. */
export function isDay(year: number, month: number, day: number): boolean {
  const days = MONTH_DAYS[month - 1];
  if (days === undefined || day < 1 || day > days) return false;
  return month !== 2 || day < 29 || (year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0));
}

/** `24:00:00`: the one time beyond 23:59:59.999999 that a day has. */
export function isDayEnd(text: string): boolean {
  return /^24:00:00(?:\.0+)?$/.test(text);
}
