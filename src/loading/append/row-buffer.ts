import { DriverError } from "../../errors/driver-error.ts";
import type { RowFormat } from "../worker/append/protocol.ts";
import { type ArrowMessage, readArrowMessages } from "./arrow-messages.ts";

/** What rows may take in memory that come while a flush is under way. */
export const MAX_BUFFERED_BYTES = 8 * 2 ** 20;

/** Rows of one flush, as they came. */
export interface RowBatch {
  readonly chunks: readonly Uint8Array[];
  readonly bytes: number;
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

const NEWLINE = Buffer.from("\n");

/** Lines. Each piece is whole lines; only the last one may lack its end. */
class LineBuffer implements RowBuffer {
  #chunks: Uint8Array[] = [];
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  add(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#chunks.push(bytes);
    this.#bytes += bytes.length;
    if (bytes[bytes.length - 1] !== NEWLINE[0]) this.#chunks.push(NEWLINE);
  }

  take(): RowBatch {
    const [chunks, bytes] = [this.#chunks, this.#bytes];
    this.#chunks = [];
    this.#bytes = 0;
    return { chunks, bytes };
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
      if (isBatch || this.#messages.length > 0) this.#messages.push(message);
      else this.#preamble = withMessage(this.#preamble, message);
      if (isBatch) this.#bytes += message.bytes.length;
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
    return { chunks, bytes };
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
