import { DriverError } from "../../errors/driver-error.ts";
import type { RowFormat } from "../worker/append/protocol.ts";
import { type ArrowMessage, readArrowMessages } from "./arrow-messages.ts";

/** What rows may take in memory that come while a flush is under way. */
export const MAX_BUFFERED_BYTES = 4 * 2 ** 20;

/** Rows of one flush, as they came. */
export interface RowBatch {
  readonly chunks: readonly Uint8Array[];
  readonly bytes: number;
  /** To be said once the chunks are wanted no more: their memory is used again. */
  written(): void;
}

/** Rows that have come and not been taken for a flush, in whole pieces. */
export interface RowBuffer {
  /** Throws MALFORMED_ARROW. */
  add(bytes: Uint8Array): void;
  readonly bytes: number;
  take(): RowBatch;
}

export function createRowBuffer(format: RowFormat): RowBuffer {
  return format === "json" ? new LineBuffer() : new MessageBuffer();
}

const NEWLINE = 0x0a;
const FIRST_BYTES = 64 * 1024;

/**
 * Lines. Each piece is whole lines; only the last one may lack its end. They are copied together: pieces that are kept until they
 * are written cost the collector more than the copy.
 */
class LineBuffer implements RowBuffer {
  #lines: Buffer = Buffer.alloc(0);
  #spare: Buffer | undefined;
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  add(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#require(bytes.length + 1);
    this.#lines.set(bytes, this.#bytes);
    this.#bytes += bytes.length;
    if (bytes[bytes.length - 1] !== NEWLINE) this.#lines[this.#bytes++] = NEWLINE;
  }

  take(): RowBatch {
    const lines = this.#lines;
    const batch = {
      chunks: [lines.subarray(0, this.#bytes)],
      bytes: this.#bytes,
      written: () => {
        this.#spare = lines;
      },
    };
    this.#lines = this.#spare ?? Buffer.alloc(0);
    this.#spare = undefined;
    this.#bytes = 0;
    return batch;
  }

  #require(size: number): void {
    if (this.#bytes + size <= this.#lines.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(FIRST_BYTES, this.#lines.length * 2, this.#bytes + size));
    this.#lines.copy(grown, 0, 0, this.#bytes);
    this.#lines = grown;
  }
}

/** What schema and dictionaries may take, which every flush begins with. */
const MAX_PREAMBLE_BYTES = 16 * 2 ** 20;

/** Messages of an IPC stream. Each flush begins with the schema and the dictionaries, so that it can be read by itself. */
class MessageBuffer implements RowBuffer {
  /** As they were before the messages that wait. */
  #preamble: readonly ArrowMessage[] = [];
  #messages: ArrowMessage[] = [];
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  add(bytes: Uint8Array): void {
    for (const message of readArrowMessages(bytes)) {
      const isBatch = message.kind === "recordBatch";
      if (isBatch && this.#preamble.length === 0) throw malformed("rows come before the schema");
      if (message.kind === "schema" && this.#preamble.length > 0) throw malformed("a second schema");
      // One in the middle holds for what follows it.
      if (isBatch || this.#messages.length > 0) {
        this.#messages.push(message);
        this.#bytes += message.bytes.length;
      } else this.#preamble = withMessage(this.#preamble, message);
    }
  }

  take(): RowBatch {
    const chunks = [...this.#preamble, ...this.#messages].map((message) => message.bytes);
    const bytes = this.#bytes;
    for (const message of this.#messages) {
      if (message.kind !== "recordBatch") this.#preamble = withMessage(this.#preamble, message);
    }
    this.#messages = [];
    this.#bytes = 0;
    return { chunks, bytes, written: () => undefined };
  }
}

/** A dictionary takes the place of those before it, unless it only adds to them. */
function withMessage(preamble: readonly ArrowMessage[], message: ArrowMessage): readonly ArrowMessage[] {
  const { dictionary, isDelta } = message;
  const replaces = dictionary !== undefined && isDelta !== true;
  const kept = replaces ? preamble.filter((before) => before.dictionary !== dictionary) : preamble;
  const all = [...kept, message];
  if (all.reduce((sum, { bytes }) => sum + bytes.length, 0) > MAX_PREAMBLE_BYTES)
    throw malformed(`schema and dictionaries take more than ${MAX_PREAMBLE_BYTES} bytes`);
  return all;
}

function malformed(complaint: string): DriverError {
  return new DriverError("MALFORMED_ARROW", complaint);
}
