const MAX_BYTES = 8_192;

/** The last of what a process has written. */
export class OutputTail {
  #bytes: Buffer = Buffer.alloc(0);

  add(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]).subarray(-MAX_BYTES);
  }

  get text(): string {
    return this.#bytes.toString();
  }
}
