import type { IncomingMessage } from "node:http";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { DriverError } from "../../errors/driver-error.ts";
import type { BodyFormat } from "./request-format.ts";

export const ENVELOPE_BYTES = 5;
export const COMPRESSED = 1;
/** What is read of a request that is refused anyway, so that its client gets to read the answer. */
const MAX_DISCARDED_BYTES = 16 * 2 ** 20;
/** Node's own limit would hold for streams too, which may take as long as they like. */
const BODY_TIMEOUT_MS = 60_000;
/** How long the rest of a stream is read after it has failed. */
const DISCARD_TIMEOUT_MS = 2_000;

/** A call's one message, and how it is written. */
export interface Body {
  readonly format: BodyFormat;
  readonly message: Buffer;
}

/** Reads a request's message whole, and decompresses it. Throws REQUEST_TOO_LARGE, INVALID_REQUEST and DEADLINE_EXCEEDED. */
export async function readBody(request: IncomingMessage, format: BodyFormat, maxRequestBytes: number): Promise<Body> {
  const limit = maxRequestBytes + ENVELOPE_BYTES;
  const chunks: Buffer[] = [];
  const take = (chunk: Buffer, total: number) => {
    if (total <= limit) chunks.push(chunk);
    else chunks.length = 0;
  };
  const size = await consume(request, { limit: limit + MAX_DISCARDED_BYTES, timeoutMs: BODY_TIMEOUT_MS, take });
  if (size > limit) throw tooLarge(maxRequestBytes);
  const { message, compressed } = openEnvelope(format, Buffer.concat(chunks));
  const encoding = String(request.headers[format.encodingHeader] ?? "identity");
  if (!compressed || encoding === "identity") return { format, message };
  if (encoding !== "gzip") throw invalid(`the request is compressed by ${encoding}; the driver reads gzip`);
  return { format, message: await decompress(message, maxRequestBytes) };
}

/**
 * Reads and forgets a body. A client that is answered and cut off while it still sends may see a broken connection instead
 * of the answer.
 */
export async function discardBody(request: IncomingMessage): Promise<void> {
  const options = { limit: MAX_DISCARDED_BYTES, timeoutMs: DISCARD_TIMEOUT_MS, take: () => {} };
  // The client is answered in any case, if it can be.
  await consume(request, options).catch(() => {});
}

/** The bytes of a body, not compressed. */
export function bodyBytes({ format, message }: Body): Buffer {
  return format.enveloped ? envelope(message) : message;
}

/** A message that is not compressed, in its envelope. */
export function envelope(message: Buffer): Buffer {
  const bytes = Buffer.alloc(ENVELOPE_BYTES + message.length);
  bytes.writeUInt32BE(message.length, 1);
  message.copy(bytes, ENVELOPE_BYTES);
  return bytes;
}

/** An empty message in the format. */
export function emptyBody(format: BodyFormat): Body {
  return { format, message: Buffer.from(format.encoding === "json" ? "{}" : "") };
}

interface Consumption {
  readonly limit: number;
  readonly timeoutMs: number;
  readonly take: (chunk: Buffer, total: number) => void;
}

/** Reads until the end, or until more than `limit` bytes have come or are announced; answers how many. */
async function consume(request: IncomingMessage, { limit, timeoutMs, take }: Consumption): Promise<number> {
  const announced = Number(request.headers["content-length"] ?? 0);
  if (announced > limit) return announced;
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(tooSlow(timeoutMs)), timeoutMs);
  try {
    let total = 0;
    // Destroying the request would take the connection with it, and the answer.
    const chunks = request.iterator({ destroyOnReturn: false })[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    for (;;) {
      const { done, value } = await Promise.race([chunks.next(), late.promise]);
      if (done) return total;
      total += value.length;
      take(value, total);
      if (total > limit) return total;
    }
  } finally {
    clearTimeout(timer);
  }
}

function openEnvelope({ enveloped }: BodyFormat, bytes: Buffer): { message: Buffer; compressed: boolean } {
  if (!enveloped) return { message: bytes, compressed: true };
  const message = bytes.subarray(ENVELOPE_BYTES);
  if (bytes.length < ENVELOPE_BYTES || bytes.readUInt32BE(1) !== message.length)
    throw invalid("the envelope's length is not that of one message");
  return { message, compressed: ((bytes[0] ?? 0) & COMPRESSED) !== 0 };
}

/** Bounded by what comes out: a megabyte may stand for a gigabyte. */
export async function decompress(message: Buffer, maxRequestBytes: number): Promise<Buffer> {
  try {
    return await promisify(gunzip)(message, { maxOutputLength: maxRequestBytes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") throw tooLarge(maxRequestBytes);
    throw invalid("the request is not what gzip makes");
  }
}

function tooSlow(timeoutMs: number): DriverError {
  return new DriverError("DEADLINE_EXCEEDED", `the request did not come within ${timeoutMs / 1000} s`);
}

export function tooLarge(maxRequestBytes: number): DriverError {
  return new DriverError("REQUEST_TOO_LARGE", `the request is larger than ${maxRequestBytes} bytes`, {
    metadata: { maxRequestBytes: String(maxRequestBytes) },
  });
}

function invalid(message: string): DriverError {
  return new DriverError("INVALID_REQUEST", message);
}
