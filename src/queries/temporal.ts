import type { ColumnType } from "./column-type.ts";

/** A text as the value of a temporal type: what an engine reads exactly, or why it can't be one. */
export type TemporalReading = { readonly text: string } | { readonly problem: string };

const DATE_PATTERN = /^([+-]?\d{4,7})-(\d{2})-(\d{2})$/;
const CLOCK_PATTERN = /^(\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?(Z|[+-]\d{2}(?::?\d{2}(?::?\d{2})?)?)?$/i;

// What counts of 32 and 64 bits hold; the ends themselves are infinity.
const MAX_DAYS = 2_147_483_645;
const MAX_MICRO_SECONDS = 9_223_372_036_854;
const MAX_NANO_SECONDS = 9_223_372_036;

interface Clock {
  readonly seconds: number;
  readonly nanos: number;
  readonly offsetSeconds: number | undefined;
}

/** Reads ISO 8601 text as a value of the type; offsets are counted in, an instant without one is read as UTC. */
export function readTemporal(text: string, type: ColumnType): TemporalReading {
  if (type.kind === "date") return readDate(text);
  if (type.kind === "time") return readTime(text, type.type);
  return readTimestamp(text, type);
}

function readDate(text: string): TemporalReading {
  if (text === "infinity" || text === "-infinity") return { text };
  const days = parseDate(text);
  if (days === undefined) return { problem: "is not a date such as 2024-02-29" };
  return Math.abs(days) > MAX_DAYS ? { problem: "does not fit into DATE" } : { text: formatDate(days) };
}

function readTime(text: string, type: string): TemporalReading {
  const clock = parseClock(text);
  const zoned = type === "TIME WITH TIME ZONE" || type === "TIMETZ";
  if (clock === undefined) return { problem: "is not a time such as 23:59:59.5" };
  if (!zoned && clock.offsetSeconds !== undefined) return { problem: `has an offset, which ${type} has not` };
  if (type !== "TIME_NS" && clock.nanos % 1000 !== 0) return { problem: `has more digits than ${type} keeps` };
  return { text: `${formatClock(clock.seconds, clock.nanos)}${zoned ? formatOffset(clock.offsetSeconds ?? 0) : ""}` };
}

function readTimestamp(text: string, type: ColumnType): TemporalReading {
  if (text === "infinity" || text === "-infinity") return { text };
  const [date = "", time = "00:00:00"] = text.split(/[T ]/i, 2);
  const days = parseDate(date);
  const clock = parseClock(time);
  if (days === undefined || clock === undefined) return { problem: "is not a time such as 2024-02-29T23:59:59.5" };
  if (type.kind === "timestamp" && clock.offsetSeconds) return { problem: `has an offset, which ${type.type} has not` };
  const digits = { TIMESTAMP_S: 1_000_000_000, TIMESTAMP_MS: 1_000_000, TIMESTAMP_NS: 1 }[type.type] ?? 1000;
  if (clock.nanos % digits !== 0) return { problem: `has more digits than ${type.type} keeps` };
  const total = days * 86_400 + clock.seconds - (clock.offsetSeconds ?? 0);
  if (Math.abs(total) >= (type.type === "TIMESTAMP_NS" ? MAX_NANO_SECONDS : MAX_MICRO_SECONDS))
    return { problem: `does not fit into ${type.type}` };
  const day = Math.floor(total / 86_400);
  const zone = type.kind === "timestampTz" ? "+00" : "";
  return { text: `${formatDate(day, ` ${formatClock(total - day * 86_400, clock.nanos)}`)}${zone}` };
}

/** Days since 1970-01-01 in the proleptic Gregorian calendar, year 0 being 1 BC. */
function parseDate(text: string): number | undefined {
  const [, yearText, monthText, dayText] = DATE_PATTERN.exec(text) ?? [];
  const [year, month, day] = [Number(yearText), Number(monthText), Number(dayText)];
  if (yearText === undefined || month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return undefined;
  return daysFromCivil(year, month, day);
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

// Not by Date, whose range ends at the year 275760. http://howardhinnant.github.io/date_algorithms.html
function daysFromCivil(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  return (
    era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719_468
  );
}

function formatDate(days: number, time = ""): string {
  const z = days + 719_468;
  const era = Math.floor(z / 146_097);
  const doe = z - era * 146_097;
  const yoe = Math.floor((doe - Math.floor(doe / 1460) + Math.floor(doe / 36_524) - Math.floor(doe / 146_096)) / 365);
  const doy = doe - (365 * yoe + Math.floor(yoe / 4) - Math.floor(yoe / 100));
  const mp = Math.floor((5 * doy + 2) / 153);
  const month = mp < 10 ? mp + 3 : mp - 9;
  const year = yoe + era * 400 + (month <= 2 ? 1 : 0);
  const day = doy - Math.floor((153 * mp + 2) / 5) + 1;
  const shown = year > 0 ? year : 1 - year;
  return `${pad(shown, 4)}-${pad(month, 2)}-${pad(day, 2)}${year > 0 ? "" : " (BC)"}${time}`;
}

function parseClock(text: string): Clock | undefined {
  const [, hours, minutes, seconds = "0", fraction = "", offset] = CLOCK_PATTERN.exec(text) ?? [];
  const [h, m, s] = [Number(hours), Number(minutes), Number(seconds)];
  if (hours === undefined || h > 24 || m > 59 || s > 59 || (h === 24 && m + s > 0)) return undefined;
  const nanos = Number(fraction.padEnd(9, "0"));
  if (h === 24 && nanos > 0) return undefined;
  return { seconds: h * 3600 + m * 60 + s, nanos, offsetSeconds: parseOffset(offset) };
}

function parseOffset(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (text.toUpperCase() === "Z") return 0;
  const [hours = "0", minutes = "0", seconds = "0"] = text.slice(1).replaceAll(":", "").match(/../g) ?? [];
  const total = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
  return text.startsWith("-") ? -total : total;
}

function formatClock(seconds: number, nanos: number): string {
  const clock = `${pad(Math.floor(seconds / 3600), 2)}:${pad(Math.floor(seconds / 60) % 60, 2)}:${pad(seconds % 60, 2)}`;
  return nanos === 0 ? clock : `${clock}.${pad(nanos, 9).replace(/0{1,8}$/, "")}`;
}

function formatOffset(seconds: number): string {
  const size = Math.abs(seconds);
  const text = `${seconds < 0 ? "-" : "+"}${pad(Math.floor(size / 3600), 2)}:${pad(Math.floor(size / 60) % 60, 2)}`;
  return size % 60 === 0 ? text : `${text}:${pad(size % 60, 2)}`;
}

function pad(value: number, length: number): string {
  return String(value).padStart(length, "0");
}
