const MAX_BYTES = 8_192;
/** Dropped from a line without its beginning where there is no other one. */
const LONGEST_REST = 1_024;

/** The last of what a process has written. */
export class OutputTail {
  #bytes: Buffer = Buffer.alloc(0);
  #isCut = false;

  add(chunk: Buffer): void {
    const bytes = Buffer.concat([this.#bytes, chunk]);
    this.#isCut ||= bytes.length > MAX_BYTES;
    this.#bytes = bytes.subarray(-MAX_BYTES);
  }

  /** Without the rest of a line whose beginning is lost: it may begin with half a secret, which nobody would find there. */
  get text(): string {
    if (!this.#isCut) return this.#bytes.toString();
    const lineEnd = this.#bytes.indexOf("\n");
    const isLast = lineEnd < 0 || lineEnd === this.#bytes.length - 1;
    return this.#bytes.subarray(isLast ? LONGEST_REST : lineEnd + 1).toString();
  }
}
