import type { IncomingMessage } from "node:http";
import { DriverError } from "../../errors/driver-error.ts";
import { clientGone } from "../call.ts";
import { COMPRESSED, decompress, ENVELOPE_BYTES, envelope, tooLarge } from "./request-body.ts";
import type { BodyFormat } from "./request-format.ts";

export interface RequestStreamOptions {
  readonly format: BodyFormat;
  /** Of one message. */
  readonly maxRequestBytes: number;
  /** Throws INVALID_REQUEST where the bytes are no message. */
  readonly check: (message: Buffer) => void;
}

/**
 * The messages of a client's stream, each in an envelope and not compressed; read from the connection as they are asked for.
 * Throws REQUEST_TOO_LARGE, INVALID_REQUEST, CANCELLED.
 */
export async function* requestStream(
  request: IncomingMessage,
  { format, maxRequestBytes, check }: RequestStreamOptions,
): AsyncGenerator<Buffer, void, undefined> {
  const encoding = String(request.headers[format.encodingHeader] ?? "identity");
  const reader = new Reader(request);
  for (;;) {
    const head = await reader.take(ENVELOPE_BYTES);
    if (head === undefined) return;
    const flags = head.readUInt8(0);
    const size = head.readUInt32BE(1);
    if ((flags & ~COMPRESSED) !== 0) throw invalid(`an envelope has the flags ${flags}, which a request's can't have`);
    if (size > maxRequestBytes) throw tooLarge(maxRequestBytes);
    const bytes = size === 0 ? Buffer.alloc(0) : await reader.take(size);
    if (bytes === undefined) throw cut();
    const compressed = (flags & COMPRESSED) !== 0;
    if (compressed && encoding !== "gzip")
      throw invalid(`a message is compressed by ${encoding}; the driver reads gzip`);
    const message = compressed ? await decompress(bytes, maxRequestBytes) : bytes;
    check(message);
    yield envelope(message);
  }
}

/** Takes bytes from a request in pieces of given sizes. */
class Reader {
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(request: IncomingMessage) {
    // Destroying the request would take the connection with it, and the answer.
    this.#chunks = request.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer>;
  }

  /** Undefined at the end. Throws INVALID_REQUEST where it comes in the middle. */
  async take(size: number): Promise<Buffer | undefined> {
    const parts = [this.#rest];
    let bytes = this.#rest.length;
    while (bytes < size) {
      const chunk = await this.#next();
      if (chunk === undefined) {
        if (bytes === 0) return undefined;
        throw cut();
      }
      parts.push(chunk);
      bytes += chunk.length;
    }
    const whole = parts.length === 1 ? this.#rest : Buffer.concat(parts, bytes);
    this.#rest = whole.subarray(size);
    return whole.subarray(0, size);
  }

  async #next(): Promise<Buffer | undefined> {
    try {
      const { done, value } = await this.#chunks.next();
      return done ? undefined : value;
    } catch {
      // A request fails in no other way than by its connection's end.
      throw clientGone();
    }
  }
}

function cut(): DriverError {
  return invalid("the stream ends in the middle of a message");
}

function invalid(message: string): DriverError {
  return new DriverError("INVALID_REQUEST", message);
}
