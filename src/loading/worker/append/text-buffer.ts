const SHORT = 40;

/** Text that is put together from pieces, as UTF-8. */
export class TextBuffer {
  #bytes: Buffer;
  #length = 0;

  constructor(capacity: number) {
    this.#bytes = Buffer.allocUnsafe(capacity);
  }

  byte(value: number): void {
    if (this.#length === this.#bytes.length) this.#grow(1);
    this.#bytes[this.#length++] = value;
  }

  /** Bytes of another buffer, as they are. */
  slice(source: Uint8Array, start: number, end: number): void {
    const size = end - start;
    if (this.#length + size > this.#bytes.length) this.#grow(size);
    // The call into the runtime costs more than a short loop.
    if (size > SHORT) this.#bytes.set(source.subarray(start, end), this.#length);
    else {
      const bytes = this.#bytes;
      let at = this.#length;
      for (let from = start; from < end; from++) bytes[at++] = source[from] as number;
    }
    this.#length += size;
  }

  text(value: string): void {
    const size = value.length * 3;
    if (this.#length + size > this.#bytes.length) this.#grow(size);
    this.#length += this.#bytes.write(value, this.#length);
  }

  /** What was written, without a copy. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  #grow(size: number): void {
    const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#length + size));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}
