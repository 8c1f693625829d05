import { createHash } from "node:crypto";
import type { OpenContent } from "./content.ts";

/** The SHA-256 of content that is read in parts, some of which may be read again. */
export class ContentHash {
  readonly #content: OpenContent;
  readonly #hash = createHash("sha256");
  #hashed = 0;
  #ended = false;
  #digest: string | undefined;

  constructor(content: OpenContent) {
    this.#content = content;
  }

  /** Whether anything was read. */
  get begun(): boolean {
    return this.#hashed > 0;
  }

  /** The content from a place on. */
  async *from(offset: number): AsyncGenerator<Uint8Array, void, undefined> {
    if (offset > this.#hashed) await this.#readTo(offset);
    let at = offset;
    for await (const chunk of this.#content.from(offset)) {
      this.#add(chunk, at);
      at += chunk.length;
      yield chunk;
    }
    this.#ended = true;
  }

  /** Of all of it, the parts that were not read yet included. */
  async digest(): Promise<string> {
    if (this.#digest === undefined) {
      if (this.#content.seekable && !this.#ended) await this.#readTo(Number.POSITIVE_INFINITY);
      this.#digest = this.#hash.digest("hex");
    }
    return this.#digest;
  }

  async #readTo(end: number): Promise<void> {
    let at = this.#hashed;
    if (at === this.#content.size) return;
    for await (const chunk of this.#content.from(at)) {
      const rest = chunk.subarray(0, Math.min(chunk.length, end - at));
      this.#add(rest, at);
      at += rest.length;
      if (at >= end) return;
    }
  }

  #add(chunk: Uint8Array, at: number): void {
    const fresh = chunk.subarray(Math.max(0, this.#hashed - at));
    if (fresh.length === 0 || this.#digest !== undefined) return;
    this.#hash.update(fresh);
    this.#hashed += fresh.length;
  }
}
