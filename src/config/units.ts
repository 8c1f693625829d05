import { DriverError } from "../errors/driver-error.ts";

const BYTES: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KIB: 2 ** 10,
  MIB: 2 ** 20,
  GIB: 2 ** 30,
  TIB: 2 ** 40,
};

const MILLISECONDS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

const QUANTITY = /^(\d+(?:\.\d+)?)\s*([A-Za-z]+)$/;

/** Reads `512MB`, `1.5 GiB`, `100B` as bytes. Throws CONFIG_INVALID. */
export function parseBytes(text: string): number {
  const [, amount, unit] = QUANTITY.exec(text.trim()) ?? [];
  const factor = unit === undefined ? undefined : BYTES[unit.toUpperCase()];
  if (amount === undefined || factor === undefined) {
    throw new DriverError("CONFIG_INVALID", `${JSON.stringify(text)} is not a size such as 512MB or 2GiB`);
  }
  return Math.floor(Number(amount) * factor);
}

/** Reads `250ms`, `30s`, `5m`, `2h`, `7d` as milliseconds. Throws CONFIG_INVALID. */
export function parseDuration(text: string): number {
  const [, amount, unit] = QUANTITY.exec(text.trim()) ?? [];
  const factor = unit === undefined ? undefined : MILLISECONDS[unit];
  if (amount === undefined || factor === undefined) {
    throw new DriverError("CONFIG_INVALID", `${JSON.stringify(text)} is not a duration such as 30s, 5m or 7d`);
  }
  return Math.round(Number(amount) * factor);
}

/** Writes bytes as `parseBytes` reads them, in the largest unit that keeps them whole, else rounded to a tenth. */
export function formatBytes(bytes: number): string {
  const units: readonly [string, number][] = [
    ["GiB", 2 ** 30],
    ["GB", 1e9],
    ["MiB", 2 ** 20],
    ["MB", 1e6],
    ["KiB", 2 ** 10],
    ["KB", 1e3],
  ];
  for (const [unit, factor] of units) if (bytes >= factor && bytes % factor === 0) return `${bytes / factor}${unit}`;
  for (const [unit, factor] of [["GB", 1e9] as const, ["MB", 1e6] as const]) {
    if (bytes >= factor) return `${(bytes / factor).toFixed(1)}${unit}`;
  }
  return `${bytes}B`;
}

/** Writes milliseconds as `parseDuration` reads them. */
export function formatDuration(milliseconds: number): string {
  for (const unit of ["d", "h", "m", "s"]) {
    const factor = MILLISECONDS[unit] ?? 1;
    if (milliseconds >= factor && milliseconds % factor === 0) return `${milliseconds / factor}${unit}`;
  }
  return `${milliseconds}ms`;
}
