import { UsageError } from "../usage-error.ts";

const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `500ms`, `30s`, `5m`, `1h`, `7d`; a bare number is seconds. The answer is in milliseconds. */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(text.trim());
  const ms = Number(match?.[1]) * (unitsMs[match?.[2] ?? "s"] ?? Number.NaN);
  if (!(ms > 0)) throw new UsageError(`"${text}" is no time: write for example 500ms, 30s or 5m`);
  return ms;
}

/** As `parseDuration`; 0 stands for no age at all. */
export function parseAge(text: string): number {
  return isZero(text) ? 0 : parseDuration(text);
}

/** For what holds for days: `12h`, `30d`. A bare number is refused, since whoever writes 30 does not mean half a minute. */
export function parseLifetime(text: string): number {
  if (/^[\d.]+(?:ms|s|m|h|d)$/.test(text.trim()) && !isZero(text)) return parseDuration(text);
  throw new UsageError(`"${text}" is no time: write for example 12h, 30d or 365d`);
}

/** As `parseLifetime`; 0 stands for no time at all. */
export function parseGrace(text: string): number {
  return isZero(text) ? 0 : parseLifetime(text);
}

function isZero(text: string): boolean {
  return /^0+(ms|s|m|h|d)?$/.test(text.trim());
}

/** A whole number of at least `least`. */
export function parseCount(text: string, least = 0): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < least)
    throw new UsageError(`"${text}" is no whole number of at least ${least}`);
  return value;
}
