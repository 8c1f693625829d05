import { TimeUnit } from "apache-arrow";

const MS_PER_DAY = 86_400_000;
const NANOS_PER_SECOND = 1_000_000_000n;
const NANOS_PER_DAY = 86_400n * NANOS_PER_SECOND;

const NANOS: Readonly<Record<TimeUnit, bigint>> = {
  [TimeUnit.SECOND]: NANOS_PER_SECOND,
  [TimeUnit.MILLISECOND]: 1_000_000n,
  [TimeUnit.MICROSECOND]: 1_000n,
  [TimeUnit.NANOSECOND]: 1n,
};

export function nanosOf(value: bigint, unit: TimeUnit): bigint {
  return value * NANOS[unit];
}

export function timestampText(nanos: bigint): string {
  const day = nanos / NANOS_PER_DAY - (nanos % NANOS_PER_DAY < 0n ? 1n : 0n);
  return `${dateOfDays(Number(day))} ${timeText(nanos - day * NANOS_PER_DAY)}`;
}

/** The calendar comes again after so many days, which are so many years. */
const CYCLE = { days: 146_097, years: 400 };
const INFINITE_DAYS = 0x7fff_ffff;

/** Days since 1970, as the engine reads a date: the year is not padded where it has more than four digits. */
export function dateOfDays(days: number): string {
  if (Math.abs(days) === INFINITE_DAYS) return days > 0 ? "infinity" : "-infinity";
  // The language's dates end before the engine's.
  const cycles = Math.floor(days / CYCLE.days);
  const date = new Date((days - cycles * CYCLE.days) * MS_PER_DAY);
  const year = date.getUTCFullYear() + cycles * CYCLE.years;
  const two = (value: number) => String(value).padStart(2, "0");
  const rest = `${two(date.getUTCMonth() + 1)}-${two(date.getUTCDate())}`;
  return year > 0 ? `${String(year).padStart(4, "0")}-${rest}` : `${String(1 - year).padStart(4, "0")}-${rest} (BC)`;
}

export function timeText(nanos: bigint): string {
  const seconds = Number(nanos / NANOS_PER_SECOND);
  const two = (value: number) => String(value).padStart(2, "0");
  const time = `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  const fraction = nanos % NANOS_PER_SECOND;
  return fraction === 0n ? time : `${time}.${String(fraction).padStart(9, "0").replace(/0+$/, "")}`;
}

/** A 32-bit float by the fewest digits that give it back: as a double it would have many more. */
export function shortestFloat(value: number): string {
  for (let digits = 6; digits < 10; digits++) {
    const text = String(Number(value.toPrecision(digits)));
    if (Math.fround(Number(text)) === value) return text;
  }
  return String(value);
}

/** Little-endian words of 32 bits, in two's complement. */
export function decimalText(words: Uint32Array, scale: number): string {
  let unscaled = 0n;
  for (let at = words.length - 1; at >= 0; at--) unscaled = (unscaled << 32n) | BigInt(words[at] as number);
  unscaled = BigInt.asIntN(words.length * 32, unscaled);
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, "0");
  const sign = unscaled < 0n ? "-" : "";
  return scale === 0 ? `${sign}${digits}` : `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}
