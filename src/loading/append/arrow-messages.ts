import { DriverError } from "../../errors/driver-error.ts";

/** An encapsulated message of an Arrow IPC stream. */
export interface ArrowMessage {
  readonly kind: "schema" | "dictionary" | "recordBatch";
  /** With its prefix. */
  readonly bytes: Uint8Array;
  /** Which dictionary it fills. */
  readonly dictionary?: bigint;
  /** Whether it adds to that dictionary rather than take its place. */
  readonly isDelta?: boolean;
}

const CONTINUATION = 0xffff_ffff;
const PREFIX_BYTES = 8;
const KINDS = { 1: "schema", 2: "dictionary", 3: "recordBatch" } as const;
// Fields of the flatbuffers tables in format/Message.fbs, by their place.
const MESSAGE = { headerType: 1, header: 2, bodyLength: 3 };
const DICTIONARY = { id: 0, isDelta: 2 };

/**
 * Finds where messages begin and end, and no more: their content is for the worker. Throws MALFORMED_ARROW where the bytes are
 * not whole messages. https://arrow.apache.org/docs/format/Columnar.html#encapsulated-message-format
 */
export function readArrowMessages(bytes: Uint8Array): readonly ArrowMessage[] {
  const messages: ArrowMessage[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  try {
    for (let at = 0; at < bytes.length; ) {
      if (view.getUint32(at, true) !== CONTINUATION) throw malformed("a message does not begin with its marker");
      const metadataBytes = view.getInt32(at + 4, true);
      // The stream's end.
      if (metadataBytes === 0) {
        at += PREFIX_BYTES;
        continue;
      }
      const table = new Table(view, at + PREFIX_BYTES);
      const end = at + PREFIX_BYTES + metadataBytes + Number(table.long(MESSAGE.bodyLength));
      if (metadataBytes < 0 || end <= at || end > bytes.length) throw malformed("a message is not whole");
      messages.push(messageOf(table, bytes.subarray(at, end)));
      at = end;
    }
  } catch (error) {
    // Reading beyond the end.
    if (error instanceof RangeError) throw malformed("a message is not whole");
    throw error;
  }
  return messages;
}

function messageOf(table: Table, bytes: Uint8Array): ArrowMessage {
  const kind = KINDS[table.byte(MESSAGE.headerType) as keyof typeof KINDS];
  if (kind === undefined) throw malformed("a message is neither a schema nor a dictionary nor a record batch");
  if (kind !== "dictionary") return { kind, bytes };
  const header = table.table(MESSAGE.header);
  return { kind, bytes, dictionary: header.long(DICTIONARY.id), isDelta: header.byte(DICTIONARY.isDelta) !== 0 };
}

/** A flatbuffers table: https://flatbuffers.dev/internals */
class Table {
  readonly #view: DataView;
  readonly #at: number;

  /** `at` is where the offset of the table stands. */
  constructor(view: DataView, at: number) {
    this.#view = view;
    this.#at = at + view.getUint32(at, true);
  }

  byte(field: number): number {
    const place = this.#place(field);
    return place === undefined ? 0 : this.#view.getUint8(place);
  }

  long(field: number): bigint {
    const place = this.#place(field);
    return place === undefined ? 0n : this.#view.getBigInt64(place, true);
  }

  table(field: number): Table {
    const place = this.#place(field);
    if (place === undefined) throw malformed("a message has no content");
    return new Table(this.#view, place);
  }

  /** Undefined where the field has its default. */
  #place(field: number): number | undefined {
    const vtable = this.#at - this.#view.getInt32(this.#at, true);
    const entry = 4 + 2 * field;
    if (entry >= this.#view.getUint16(vtable, true)) return undefined;
    const offset = this.#view.getUint16(vtable + entry, true);
    return offset === 0 ? undefined : this.#at + offset;
  }
}

function malformed(complaint: string): DriverError {
  return new DriverError("MALFORMED_ARROW", `the bytes are no messages of an Arrow IPC stream: ${complaint}`);
}
