import { ByteReader } from "./byte-reader.ts";

/** A part of an archive. */
export interface TarEntry {
  readonly path: string;
  /** `other`: links, devices, pipes. */
  readonly type: "file" | "folder" | "other";
  readonly bytes: number;
  /** To be read before the next entry is asked for; what is left of it is passed over. */
  readonly content: AsyncIterable<Uint8Array>;
}

/** An archive that is none, or not all of one. */
export class TarError extends Error {
  override name = "TarError";
}

const BLOCK = 512;
/** Paths and extended headers are small. */
const MAX_HEADER_BYTES = 64 * 1024;
const MAX_PIECE_BYTES = 256 * 1024;
/** Programs fill their last record, of 10 KiB mostly. */
const MAX_PADDING_BYTES = 2 ** 20;

/** What headers of their own say of the entry behind them. */
interface Extended {
  path?: string;
  size?: number;
}

/** Goes through a tar archive (ustar, pax, GNU), whatever its length. Throws TarError. */
export async function* readTar(source: AsyncIterable<Uint8Array>): AsyncGenerator<TarEntry, void, undefined> {
  const reader = new ByteReader(source);
  let extended: Extended = {};
  for (;;) {
    const header = await reader.exactly(BLOCK);
    if (header === undefined) throw new TarError("it ends before its end mark");
    if (header.every((byte) => byte === 0)) return drain(reader);
    const { path, size, flag } = parseHeader(header);
    if (flag === "x" || flag === "L") {
      extended = { ...extended, ...(await readExtended(reader, size, flag)) };
    } else if (flag === "g" || flag === "K") {
      await readSmall(reader, size);
    } else {
      const bytes = extended.size ?? size;
      const content = new Content(reader, bytes);
      yield { path: extended.path ?? path, type: typeOf(flag), bytes, content };
      await content.drain();
      extended = {};
    }
  }
}

/** Until the stream's end, so that whoever makes the bytes can say that they were not whole. */
async function drain(reader: ByteReader): Promise<void> {
  let bytes = 0;
  for (let rest = await reader.some(MAX_PIECE_BYTES); rest !== undefined; rest = await reader.some(MAX_PIECE_BYTES)) {
    bytes += rest.length;
    if (bytes > MAX_PADDING_BYTES || rest.some((byte) => byte !== 0)) throw new TarError("something follows its end");
  }
}

class Content implements AsyncIterable<Uint8Array> {
  readonly #reader: ByteReader;
  readonly #padding: number;
  #left: number;
  #padded = false;

  constructor(reader: ByteReader, bytes: number) {
    this.#reader = reader;
    this.#left = bytes;
    this.#padding = paddingOf(bytes);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    while (this.#left > 0) {
      const piece = await this.#reader.some(Math.min(this.#left, MAX_PIECE_BYTES));
      if (piece === undefined) throw new TarError("it ends in the middle of a file");
      this.#left -= piece.length;
      yield piece;
    }
  }

  async drain(): Promise<void> {
    for await (const _ of this);
    if (this.#padded) return;
    this.#padded = true;
    if ((await this.#reader.exactly(this.#padding)) === undefined) throw new TarError("it ends behind a file");
  }
}

function paddingOf(bytes: number): number {
  return (BLOCK - (bytes % BLOCK)) % BLOCK;
}

function typeOf(flag: string): TarEntry["type"] {
  if (flag === "0" || flag === "\0" || flag === "7") return "file";
  return flag === "5" ? "folder" : "other";
}

function parseHeader(header: Uint8Array): { path: string; size: number; flag: string } {
  const text = (from: number, length: number) => textOf(header.subarray(from, from + length));
  const sum = header.reduce((total, byte, index) => total + (index >= 148 && index < 156 ? 0x20 : byte), 0);
  if (Number.parseInt(text(148, 8).trim(), 8) !== sum) throw new TarError("a header's checksum is wrong");
  const name = text(0, 100);
  const prefix = text(257, 5) === "ustar" ? text(345, 155) : "";
  const flag = String.fromCharCode(header[156] ?? 0);
  return { path: prefix === "" ? name : `${prefix}/${name}`, size: numberOf(header.subarray(124, 136)), flag };
}

/** Octal digits or, for what is larger, a binary number. */
function numberOf(field: Uint8Array): number {
  const first = field[0] ?? 0;
  const value =
    (first & 0x80) === 0
      ? Number.parseInt(textOf(field).trim() || "0", 8)
      : field.reduce((total, byte, index) => total * 256 + (index === 0 ? byte & 0x7f : byte), 0);
  if (!Number.isSafeInteger(value) || value < 0) throw new TarError("a size is no number");
  return value;
}

function textOf(field: Uint8Array): string {
  const end = field.indexOf(0);
  return Buffer.from(end === -1 ? field : field.subarray(0, end)).toString("utf8");
}

async function readSmall(reader: ByteReader, size: number): Promise<Uint8Array> {
  if (size > MAX_HEADER_BYTES) throw new TarError("a header is too long");
  const bytes = await reader.exactly(size);
  const padding = await reader.exactly(paddingOf(size));
  if (bytes === undefined || padding === undefined) throw new TarError("it ends in the middle of a header");
  return bytes;
}

async function readExtended(reader: ByteReader, size: number, flag: "x" | "L"): Promise<Extended> {
  const bytes = await readSmall(reader, size);
  return flag === "L" ? { path: textOf(bytes) } : parsePax(bytes);
}

/** Records `LENGTH KEY=VALUE\n`, lengths in bytes and with themselves. */
function parsePax(bytes: Uint8Array): Extended {
  const found: Extended = {};
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const length = Number(Buffer.from(bytes.subarray(at, Math.max(at, space))).toString("latin1"));
    if (!Number.isInteger(length) || length < 1 || at + length > bytes.length)
      throw new TarError("a header is damaged");
    const record = Buffer.from(bytes.subarray(space + 1, at + length - 1)).toString("utf8");
    const equals = record.indexOf("=");
    if (record.slice(0, equals) === "path") found.path = record.slice(equals + 1);
    if (record.slice(0, equals) === "size") found.size = paxSize(record.slice(equals + 1));
    at += length;
  }
  return found;
}

function paxSize(text: string): number {
  const size = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(size)) throw new TarError("a size is no number");
  return size;
}
