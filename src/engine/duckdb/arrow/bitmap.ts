/** Sets `count` bits of `target` from bit `to` on to those of `source` from bit `from` on. Bits of `target` must be 0. */
export function copyBits(source: Uint8Array, from: number, target: Uint8Array, to: number, count: number): void {
  let bit = 0;
  if ((from & 7) === 0 && (to & 7) === 0) {
    const whole = count >> 3;
    target.set(source.subarray(from >> 3, (from >> 3) + whole), to >> 3);
    bit = whole << 3;
  }
  for (; bit < count; bit++) {
    const place = from + bit;
    if (((source[place >> 3] as number) >> (place & 7)) & 1) setBit(target, to + bit);
  }
}

/** Sets `count` bits from bit `to` on. */
export function fillBits(target: Uint8Array, to: number, count: number): void {
  let bit = to;
  const end = to + count;
  while (bit < end && (bit & 7) !== 0) setBit(target, bit++);
  const wholeEnd = bit + ((end - bit) & ~7);
  target.fill(0xff, bit >> 3, wholeEnd >> 3);
  for (bit = wholeEnd; bit < end; bit++) setBit(target, bit);
}

export function setBit(target: Uint8Array, bit: number): void {
  target[bit >> 3] = (target[bit >> 3] as number) | (1 << (bit & 7));
}

/** How many of `count` bits from bit `from` on are 0. */
export function countZeros(source: Uint8Array, from: number, count: number): number {
  let zeros = 0;
  for (let bit = from; bit < from + count; bit++) zeros += 1 - (((source[bit >> 3] as number) >> (bit & 7)) & 1);
  return zeros;
}
