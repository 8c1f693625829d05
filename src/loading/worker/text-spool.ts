import { createWriteStream, type WriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { MAX_ROW_BYTES } from "../../engine/text/row-limit.ts";
import { DriverError } from "../../errors/driver-error.ts";

/** A piece of a spooled text: whole records, in a file that whoever takes it removes. */
export interface SpoolFile extends AsyncDisposable {
  readonly path: string;
  readonly bytes: number;
}

export interface SpoolOptions {
  readonly directory: string;
  readonly signal: AbortSignal;
  /** A file is closed at the first record's end after so many bytes. */
  readonly maxFileBytes: number;
  /** Names the files within the directory. */
  readonly name: string;
}

/** Rows that begin and end in so many bytes need not be looked at. */
const LOOKED_AT_BYTES = 1024 * 1024;

const QUOTE = 0x22;
const LINE_FEED = 0x0a;

/**
 * Writes text of the exchange dialect into files of whole records, one file ahead of whoever reads them: the source is read
 * while the engine works, and the disk holds three files at most. Throws ROW_TOO_LONG.
 */
export async function* spoolText(
  chunks: AsyncIterable<Uint8Array>,
  options: SpoolOptions,
): AsyncGenerator<SpoolFile, void> {
  const left = new AbortController();
  const files = spooled(untilLeft(chunks, left.signal), options);
  let ahead = files.next();
  // Whoever leaves early does not wait for it.
  ahead.catch(() => undefined);
  try {
    for (;;) {
      const { done, value } = await ahead;
      if (done) return;
      ahead = files.next();
      ahead.catch(() => undefined);
      yield value;
    }
  } finally {
    // A source that is slow may give nothing for hours.
    left.abort(new DriverError("CANCELLED", "nobody reads on"));
    const last = await ahead.catch(() => undefined);
    if (last?.value) await last.value[Symbol.asyncDispose]();
    await files.return().catch(() => undefined);
  }
}

/** The chunks; who waits for the next one is told at once when nobody wants it any more. */
async function* untilLeft(chunks: AsyncIterable<Uint8Array>, left: AbortSignal): AsyncGenerator<Uint8Array, void> {
  const iterator = chunks[Symbol.asyncIterator]();
  let ended = false;
  try {
    for (;;) {
      const next = await unlessLeft(iterator.next(), left);
      ended = next.done === true;
      if (next.done) return;
      yield next.value;
    }
  } finally {
    // It ends with the session where it does not come back to hear of it.
    const closed = ended ? undefined : iterator.return?.();
    if (left.aborted) closed?.catch(() => undefined);
    else await closed;
  }
}

function unlessLeft<T>(coming: Promise<T>, left: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const leave = () => reject(left.reason);
    if (left.aborted) leave();
    left.addEventListener("abort", leave, { once: true });
    coming.then(resolve, reject).finally(() => left.removeEventListener("abort", leave));
  });
}

async function* spooled(chunks: AsyncIterable<Uint8Array>, options: SpoolOptions): AsyncGenerator<SpoolFile, void> {
  let count = 0;
  let file: OpenFile | undefined;
  const quotes = new QuoteCounter();
  try {
    for await (const chunk of chunks) {
      options.signal.throwIfAborted();
      let rest = chunk;
      while (rest.length > 0) {
        file ??= new OpenFile(join(options.directory, `${options.name}-${count++}.csv`));
        const room = options.maxFileBytes - file.bytes;
        const end = rest.length < room ? -1 : quotes.recordEnd(rest, Math.max(0, room - 1));
        const part = end < 0 ? rest : rest.subarray(0, end);
        quotes.pass(part);
        await file.write(part);
        rest = rest.subarray(part.length);
        if (end < 0) continue;
        const closed = await file.close();
        file = undefined;
        yield closed;
      }
    }
    if (file) {
      const closed = await file.close();
      file = undefined;
      yield closed;
    }
  } finally {
    await file?.abandon();
  }
}

/** Tells line ends of records from those within quotes, over chunks that may end anywhere. */
class QuoteCounter {
  #inside = false;
  /** Of the record that has no end yet. */
  #recordBytes = 0;

  /** Just behind the first record's end at or after `from`; -1 where the chunk has none. */
  recordEnd(chunk: Uint8Array, from: number): number {
    let inside = this.#inside !== isOdd(countQuotes(chunk.subarray(0, from)));
    for (let at = from; at < chunk.length; at++) {
      if (chunk[at] === QUOTE) inside = !inside;
      else if (chunk[at] === LINE_FEED && !inside) return at + 1;
    }
    return -1;
  }

  /** Throws ROW_TOO_LONG. */
  pass(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; at += LOOKED_AT_BYTES)
      this.#passPiece(chunk.subarray(at, at + LOOKED_AT_BYTES));
  }

  #passPiece(piece: Uint8Array): void {
    const first = this.recordEnd(piece, 0);
    if (this.#recordBytes + (first < 0 ? piece.length : first) > MAX_ROW_BYTES)
      throw new DriverError("ROW_TOO_LONG", `a row of the source takes more than ${MAX_ROW_BYTES} bytes`);
    if (isOdd(countQuotes(piece))) this.#inside = !this.#inside;
    this.#recordBytes = first < 0 ? this.#recordBytes + piece.length : piece.length - this.#lastEnd(piece);
  }

  /** Just behind the last record's end in a piece that has been passed and has one. */
  #lastEnd(piece: Uint8Array): number {
    let inside = this.#inside;
    let to = piece.length;
    for (let at = piece.lastIndexOf(LINE_FEED); at > 0; at = piece.lastIndexOf(LINE_FEED, at - 1)) {
      if (isOdd(countQuotes(piece.subarray(at, to)))) inside = !inside;
      if (!inside) return at + 1;
      to = at;
    }
    return 1;
  }
}

function isOdd(count: number): boolean {
  return count % 2 === 1;
}

function countQuotes(chunk: Uint8Array): number {
  let count = 0;
  for (let at = chunk.indexOf(QUOTE); at >= 0; at = chunk.indexOf(QUOTE, at + 1)) count++;
  return count;
}

class OpenFile {
  readonly path: string;
  bytes = 0;
  readonly #stream: WriteStream;

  constructor(path: string) {
    this.path = path;
    this.#stream = createWriteStream(path, { flags: "wx", mode: 0o600, highWaterMark: 1 << 20 });
    // Told by the next write or by the close.
    this.#stream.on("error", () => undefined);
  }

  async write(part: Uint8Array): Promise<void> {
    this.bytes += part.length;
    if (this.#stream.errored) throw this.#stream.errored;
    if (!this.#stream.write(part)) await drained(this.#stream);
  }

  async close(): Promise<SpoolFile> {
    this.#stream.end();
    await finished(this.#stream);
    return { path: this.path, bytes: this.bytes, [Symbol.asyncDispose]: () => rm(this.path, { force: true }) };
  }

  async abandon(): Promise<void> {
    this.#stream.destroy();
    await finished(this.#stream).catch(() => undefined);
    await rm(this.path, { force: true });
  }
}

function drained(stream: WriteStream): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (error?: Error) => {
      stream.off("drain", done).off("error", done).off("close", done);
      if (error) reject(error);
      else resolve();
    };
    stream.once("drain", done).once("error", done).once("close", done);
  });
}
