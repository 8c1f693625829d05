import { open } from "node:fs/promises";
import { basename } from "node:path";
import { clientError, DroverError } from "../errors.ts";

/**
 * What is sent: a file's path, bytes, a Blob or File, a stream, or a function that gives the bytes from an offset on. All but a
 * stream can go on where a connection broke.
 */
export type UploadContent =
  | string
  | Uint8Array
  | Blob
  | AsyncIterable<Uint8Array>
  | ((offset: number) => AsyncIterable<Uint8Array>);

/** Content that can be read from any place on, or from its beginning only. */
export interface OpenContent {
  /** Undefined where it is not known. */
  readonly size: number | undefined;
  readonly name: string;
  /** Whether `from` takes more than one call, and another offset than 0. */
  readonly seekable: boolean;
  from(offset: number): AsyncIterable<Uint8Array>;
}

/** Finds out what is to be sent. Throws INVALID_ARGUMENT where there is no such file. */
export async function openContent(content: UploadContent): Promise<OpenContent> {
  if (typeof content === "string") return openFile(content);
  if (content instanceof Uint8Array) {
    return { size: content.byteLength, name: "", seekable: true, from: (offset) => once(content.subarray(offset)) };
  }
  if (content instanceof Blob) {
    const name = "name" in content && typeof content.name === "string" ? content.name : "";
    return { size: content.size, name, seekable: true, from: (offset) => content.slice(offset).stream() };
  }
  if (typeof content === "function") return { size: undefined, name: "", seekable: true, from: content };
  return { size: undefined, name: "", seekable: false, from: () => content };
}

async function openFile(path: string): Promise<OpenContent> {
  try {
    await using file = await open(path);
    const state = await file.stat();
    if (state.isDirectory()) throw clientError("INVALID_ARGUMENT", `${path} is a folder`);
    // A pipe has no size and can be read once.
    if (!state.isFile()) return { size: undefined, name: basename(path), seekable: false, from: () => read(path, 0) };
    return { size: state.size, name: basename(path), seekable: true, from: (offset) => read(path, offset) };
  } catch (cause) {
    if (cause instanceof DroverError) throw cause;
    throw clientError("INVALID_ARGUMENT", `${path} can't be read: ${(cause as NodeJS.ErrnoException).code}`, { cause });
  }
}

const readBytes = 256 * 1024;

async function* read(path: string, offset: number): AsyncGenerator<Uint8Array, void, undefined> {
  await using file = await open(path);
  yield* file.createReadStream({ start: offset, highWaterMark: readBytes, autoClose: false });
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
}
