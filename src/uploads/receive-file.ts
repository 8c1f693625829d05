import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { setImmediate } from "node:timers/promises";
import type { UploadRecord } from "../catalog/uploads.ts";
import { fileMode } from "../config/file-modes.ts";
import { DriverError } from "../errors/driver-error.ts";
import type { UploadPart } from "./model.ts";
import type { UploadSpace } from "./upload-space.ts";

/** Hashed at once: a third of a millisecond of the event loop. */
const HASH_BYTES = 128 * 1024;

export interface ReceiveOptions {
  readonly path: string;
  readonly record: UploadRecord;
  readonly offset: number;
  readonly parts: AsyncIterable<UploadPart>;
  readonly space: UploadSpace;
  readonly signal: AbortSignal;
}

export interface ReceivedFile {
  readonly size: number;
  readonly sha256: string;
}

/** Writes a file's bytes from `offset` on to the end that its client announces, and verifies size and hash. Flushed to disk. */
export async function receiveFile(options: ReceiveOptions): Promise<ReceivedFile> {
  const { path, record, offset, parts, space, signal } = options;
  // Appending, since two that write at once must never make a file of mixed bytes: the offset is looked at again at the end.
  await using file = await open(path, "a+", fileMode());
  const { size: present } = await file.stat();
  if (offset !== present) throw wrongOffset(record, offset, present);
  const announced = record.size;
  if (announced !== undefined) space.checkSize(announced);
  await space.check(Math.max(0, (announced ?? 0) - present));
  const writing = new Writing(file, present, options);
  const end = await writing.take(parts);
  if (announced !== undefined && writing.size !== announced)
    throw incomplete(record, writing.size, `${writing.size} bytes have come of ${announced}`);
  // Calls that said nothing of their sizes may have come together.
  await space.check(0);
  const { size: written } = await file.stat();
  if (written !== writing.size) throw damaged(record, "has bytes of two processes that wrote it at once");
  // A running hash knows only what this call has brought.
  const sha256 = writing.hash?.digest("hex") ?? (await hashOf(path, signal));
  for (const given of [record.sha256, end.sha256])
    if (given !== undefined && given !== sha256)
      throw damaged(record, "does not have the SHA-256 that was given for it");
  await file.sync();
  return { size: writing.size, sha256 };
}

class Writing {
  size: number;
  /** Undefined where earlier calls have brought the beginning. */
  readonly hash: Hash | undefined;
  readonly #file: FileHandle;
  readonly #options: ReceiveOptions;
  #checkAt: number;

  constructor(file: FileHandle, size: number, options: ReceiveOptions) {
    this.size = size;
    this.hash = size === 0 ? createHash("sha256") : undefined;
    this.#file = file;
    this.#options = options;
    this.#checkAt = size + options.space.lookEveryBytes;
  }

  async take(parts: AsyncIterable<UploadPart>): Promise<Extract<UploadPart, { type: "end" }>> {
    const { record, signal } = this.#options;
    for await (const part of parts) {
      signal.throwIfAborted();
      if (part.type === "end") return part;
      await this.#write(part.bytes);
    }
    throw incomplete(record, this.size, "the stream ended without saying that this was all");
  }

  async #write(bytes: Uint8Array): Promise<void> {
    const { record, space } = this.#options;
    const size = this.size + bytes.length;
    space.checkSize(size);
    if (record.size !== undefined && size > record.size)
      throw incomplete(record, this.size, `more bytes come than the ${record.size} that were announced`);
    if (size > this.#checkAt) {
      await space.check(bytes.length);
      this.#checkAt = size + space.lookEveryBytes;
    }
    await this.#file.appendFile(bytes);
    this.size = size;
    for (let at = 0; this.hash !== undefined && at < bytes.length; at += HASH_BYTES) {
      if (at > 0) await setImmediate();
      this.hash.update(bytes.subarray(at, at + HASH_BYTES));
    }
  }
}

async function hashOf(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: HASH_BYTES, signal })) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

function wrongOffset({ id }: UploadRecord, offset: number, receivedBytes: number): DriverError {
  return new DriverError("UPLOAD_OFFSET", `upload "${id}" goes on from byte ${receivedBytes}, not from ${offset}`, {
    metadata: { upload: id, receivedBytes: String(receivedBytes) },
  });
}

function incomplete({ id }: UploadRecord, receivedBytes: number, why: string): DriverError {
  return new DriverError("UPLOAD_INCOMPLETE", `upload "${id}": ${why}`, {
    metadata: { upload: id, receivedBytes: String(receivedBytes) },
  });
}

function damaged({ id }: UploadRecord, why: string): DriverError {
  return new DriverError("UPLOAD_DAMAGED", `upload "${id}" ${why}`, {
    metadata: { upload: id },
  });
}
