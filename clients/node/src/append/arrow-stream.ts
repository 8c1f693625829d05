import { Buffer } from "node:buffer";
import { clientError } from "../errors.ts";

/** A message of an Arrow IPC stream, and how many rows it brings. */
export interface ArrowMessage {
  readonly bytes: Uint8Array;
  readonly rows: number;
}

const continuation = 0xffff_ffff;
const prefixBytes = 8;
const recordBatch = 3;
// Fields of the flatbuffers tables in format/Message.fbs, by their place.
const message = { headerType: 1, header: 2, bodyLength: 3 };
const batchLength = 0;

/**
 * Cuts the bytes of an Arrow IPC stream, in whatever pieces they come, into messages.
 * https://arrow.apache.org/docs/format/Columnar.html#encapsulated-message-format
 */
export class ArrowCutter {
  #rest: Buffer = Buffer.alloc(0);

  /** The messages that are whole by now. Throws INVALID_ARGUMENT. */
  add(bytes: Uint8Array): readonly ArrowMessage[] {
    const piece = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    let rest = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece]);
    const messages: ArrowMessage[] = [];
    for (;;) {
      const found = firstMessage(rest);
      if (found === undefined) break;
      if (found.bytes.length > prefixBytes) messages.push(found);
      rest = rest.subarray(found.bytes.length);
    }
    this.#rest = rest;
    return messages;
  }

  /** Throws INVALID_ARGUMENT where the stream ends in the middle of a message. */
  end(): void {
    if (this.#rest.length > 0) throw invalid("it ends in the middle of a message");
  }
}

function firstMessage(bytes: Buffer): ArrowMessage | undefined {
  if (bytes.length < prefixBytes) return undefined;
  if (bytes.readUInt32LE(0) !== continuation) throw invalid("a message does not begin with its marker");
  const metadataBytes = bytes.readInt32LE(4);
  if (metadataBytes < 0) throw invalid("a message has a negative length");
  if (metadataBytes === 0) return { bytes: bytes.subarray(0, prefixBytes), rows: 0 };
  if (bytes.length < prefixBytes + metadataBytes) return undefined;
  try {
    const table = tableAt(bytes, prefixBytes);
    const body = longOf(bytes, table, message.bodyLength);
    const end = prefixBytes + metadataBytes + body;
    if (bytes.length < end) return undefined;
    return { bytes: bytes.subarray(0, end), rows: rowsOf(bytes, table) };
  } catch (cause) {
    throw invalid("the metadata of a message can't be read", cause);
  }
}

function rowsOf(bytes: Buffer, table: number): number {
  const type = placeOf(bytes, table, message.headerType);
  if (type === undefined || bytes.readUInt8(type) !== recordBatch) return 0;
  const header = placeOf(bytes, table, message.header);
  return header === undefined ? 0 : longOf(bytes, tableAt(bytes, header), batchLength);
}

function longOf(bytes: Buffer, table: number, field: number): number {
  const place = placeOf(bytes, table, field);
  return place === undefined ? 0 : Number(bytes.readBigInt64LE(place));
}

function tableAt(bytes: Buffer, place: number): number {
  return place + bytes.readUInt32LE(place);
}

/** Undefined where a field has its default. https://flatbuffers.dev/internals */
function placeOf(bytes: Buffer, table: number, field: number): number | undefined {
  const vtable = table - bytes.readInt32LE(table);
  const entry = 4 + 2 * field;
  if (entry >= bytes.readUInt16LE(vtable)) return undefined;
  const offset = bytes.readUInt16LE(vtable + entry);
  return offset === 0 ? undefined : table + offset;
}

function invalid(complaint: string, cause?: unknown) {
  return clientError("INVALID_ARGUMENT", `the rows are no Arrow IPC stream: ${complaint}`, { cause });
}
