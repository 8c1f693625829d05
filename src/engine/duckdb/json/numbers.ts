/** An exact decimal: `-0.05` for -5 with a scale of 2. */
export function decimalText(unscaled: bigint, scale: number): string {
  if (scale === 0) return String(unscaled);
  const negative = unscaled < 0n;
  const digits = String(negative ? -unscaled : unscaled).padStart(scale + 1, "0");
  return `${negative ? "-" : ""}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

/** JSON has no NaN and no infinities; they are named. */
export function floatJson(value: number): number | string {
  return Number.isFinite(value) ? value : String(value);
}

const SMALLEST_NORMAL = 2 ** -126;

/** The shortest decimal that reads back as the same 32-bit number: 0.1, not 0.10000000149011612. */
export function float32Json(value: number): number | string {
  if (!Number.isFinite(value)) return String(value);
  // Six digits always survive the way through 32 bits, unless the number is below the normal ones.
  for (let digits = Math.abs(value) < SMALLEST_NORMAL ? 1 : 6; digits < 9; digits++) {
    const candidate = Number(value.toPrecision(digits));
    if (Math.fround(candidate) === value) return candidate;
  }
  return Number(value.toPrecision(9));
}

/** A 128-bit integer from its halves, as they lie. */
export function hugeInt(halves: BigUint64Array, row: number, signed: boolean): bigint {
  const low = halves[row * 2] as bigint;
  const high = halves[row * 2 + 1] as bigint;
  const value = (high << 64n) | low;
  return signed ? BigInt.asIntN(128, value) : value;
}
