const DAY_SECONDS = 86_400;
const INFINITE_DAYS = 0x7fff_ffff;
const INFINITE_INSTANT = 0x7fff_ffff_ffff_ffffn;

/**
 * Days since 1970-01-01 as ISO 8601: `2024-02-29`. Years that don't have four digits have a sign and at least six
 * (`+012024-02-29`, `-000043-03-15` for 44 BC); the two infinite dates are `infinity` and `-infinity`.
 */
export function dateText(days: number): string {
  if (days === INFINITE_DAYS) return "infinity";
  if (days === -INFINITE_DAYS) return "-infinity";
  // From the civil calendar's cycle of 400 years, counted from 0000-03-01
  // (http://howardhinnant.github.io/date_algorithms.html).
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1;
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  return `${yearText(year)}-${two(month)}-${two(day)}`;
}

/**
 * Units since 1970-01-01T00:00:00 as ISO 8601, with `suffix` at the end (`Z` for an instant); the two infinite ones as
 * with dates. The fraction has no trailing zeros.
 */
export function timestampText(value: bigint, unitsPerSecond: number, suffix: "" | "Z"): string {
  if (value === INFINITE_INSTANT) return "infinity";
  if (value === -INFINITE_INSTANT) return "-infinity";
  const [seconds, fraction] = splitSeconds(value, unitsPerSecond);
  const days = Math.floor(seconds / DAY_SECONDS);
  return `${dateText(days)}T${clockText(seconds - days * DAY_SECONDS, fraction, unitsPerSecond)}${suffix}`;
}

/** Units since midnight as `12:34:56.789`; the end of the day is `24:00:00`. */
export function timeText(value: bigint, unitsPerSecond: number): string {
  const [seconds, fraction] = splitSeconds(value, unitsPerSecond);
  return clockText(seconds, fraction, unitsPerSecond);
}

/** A TIMETZ: the upper 40 bits are microseconds, the lower 24 are 57,599 less the seconds of the offset. */
export function timeTzText(bits: bigint): string {
  const offset = 57_599 - Number(bits & 0xff_ffffn);
  const distance = Math.abs(offset);
  const minutes = Math.floor(distance / 60);
  const seconds = distance % 60 ? `:${two(distance % 60)}` : "";
  const zone = `${offset < 0 ? "-" : "+"}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}${seconds}`;
  return `${timeText(bits >> 24n, 1e6)}${zone}`;
}

/** An ISO 8601 duration with a sign at each part (ISO 8601-2): `P1Y2M3DT4H5M6.5S`, `P-1M`, `PT0S`. */
export function intervalText(months: number, days: number, micros: bigint): string {
  const years = Math.trunc(months / 12);
  const date = partText(years, "Y") + partText(months % 12, "M") + partText(days, "D");
  const negative = micros < 0n;
  const [seconds, fraction] = splitSeconds(negative ? -micros : micros, 1e6);
  const sign = negative ? -1 : 1;
  const hours = partText(sign * Math.floor(seconds / 3600), "H");
  const minutes = partText(sign * (Math.floor(seconds / 60) % 60), "M");
  const rest = seconds % 60 || fraction ? `${negative ? "-" : ""}${seconds % 60}${fractionText(fraction, 1e6)}S` : "";
  const time = hours + minutes + rest;
  if (time) return `P${date}T${time}`;
  return date ? `P${date}` : "PT0S";
}

/** Whole seconds, rounded down, and what is left in units. */
function splitSeconds(value: bigint, unitsPerSecond: number): [seconds: number, fraction: number] {
  const units = Number(value);
  if (Number.isSafeInteger(units)) {
    // The remainder is exact; a quotient rounded to a double would not be, near a full second.
    const rest = units % unitsPerSecond;
    const fraction = rest < 0 ? rest + unitsPerSecond : rest;
    return [(units - fraction) / unitsPerSecond, fraction];
  }
  const divisor = BigInt(unitsPerSecond);
  const rest = value % divisor;
  const fraction = rest < 0n ? rest + divisor : rest;
  return [Number((value - fraction) / divisor), Number(fraction)];
}

function clockText(seconds: number, fraction: number, unitsPerSecond: number): string {
  const minutes = Math.floor(seconds / 60);
  const clock = `${two(Math.floor(minutes / 60))}:${two(minutes % 60)}:${two(seconds % 60)}`;
  return clock + fractionText(fraction, unitsPerSecond);
}

function fractionText(fraction: number, unitsPerSecond: number): string {
  if (fraction === 0) return "";
  const digits = String(fraction + unitsPerSecond).slice(1);
  return `.${digits.replace(/0+$/, "")}`;
}

function partText(value: number, unit: string): string {
  return value === 0 ? "" : `${value}${unit}`;
}

function yearText(year: number): string {
  if (year >= 0 && year <= 9999) return String(year).padStart(4, "0");
  return `${year < 0 ? "-" : "+"}${String(Math.abs(year)).padStart(6, "0")}`;
}

function two(value: number): string {
  return value < 10 ? `0${value}` : String(value);
}
