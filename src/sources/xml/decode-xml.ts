import { chunksOf, firstBytes } from "../../engine/byte-stream.ts";
import { DriverError } from "../../errors/driver-error.ts";

/** A piece of a document's text, and where in the (decompressed) file it begins. */
export interface TextChunk {
  readonly text: string;
  readonly startByte: number;
}

const PEEK_BYTES = 1_024;
/** Longer texts are objects of their own to the collector of garbage: they stay longer, and the heap grows to twice its size. */
const TEXT_BYTES = 32 * 1024;
const DECLARATION = /^\s*<\?xml\s[^>]*?\sencoding\s*=\s*["']([A-Za-z0-9._:-]+)["']/;

/**
 * How a document is encoded: what the option says, else its byte order mark, else its XML declaration, else UTF-8. The
 * declaration of a document in UTF-16 is found by its zeros. Throws SOURCE_ENCODING where the declaration can't be true.
 */
export async function encodingOfXml(
  path: string,
  given: string | undefined,
  { signal }: { signal: AbortSignal },
): Promise<string> {
  if (given !== undefined) return given;
  const { bytes } = await firstBytes(path, PEEK_BYTES, { signal });
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return "utf-8";
  const wide = wideEncoding(path, bytes);
  if (wide !== undefined) return wide;
  const label = DECLARATION.exec(bytes.toString("latin1"))?.[1];
  if (label === undefined) return "utf-8";
  const encoding = standardName(label);
  // Read as ASCII, so it can't be an encoding of two bytes for a letter.
  if (encoding === undefined || encoding.startsWith("utf-16"))
    throw new DriverError(
      "SOURCE_ENCODING",
      `${path} declares the encoding ${JSON.stringify(label)}, ${encoding === undefined ? "which is not known" : "but is not in it"}`,
      { metadata: { file: path, line: "1", encoding: label } },
    );
  return encoding;
}

function standardName(label: string): string | undefined {
  try {
    return new TextDecoder(label).encoding;
  } catch {
    return undefined;
  }
}

function wideEncoding(path: string, bytes: Buffer): string | undefined {
  const [first, second, third, fourth] = bytes;
  const isWide32 = first === 0 && second === 0 && (third === 0xfe || third === 0);
  if (isWide32 || (third === 0 && fourth === 0 && first !== undefined && second !== undefined && bytes.length > 3))
    throw new DriverError("SOURCE_ENCODING", `${path} is in UTF-32, which can't be read`, {
      metadata: { file: path, line: "1", encoding: "utf-32" },
    });
  if ((first === 0xff && second === 0xfe) || (first === 0x3c && second === 0)) return "utf-16le";
  if ((first === 0xfe && second === 0xff) || (first === 0 && second === 0x3c)) return "utf-16be";
  return undefined;
}

/** The text of a file, decompressed and decoded. Bytes that the encoding does not have are SOURCE_ENCODING with their line. */
export async function* decodedXml(
  path: string,
  encoding: string,
  { signal, isCut = false }: { readonly signal: AbortSignal; readonly isCut?: boolean },
): AsyncGenerator<TextChunk> {
  // The parser knows the mark, and with it the places in the text are those in the file.
  const decoder = new TextDecoder(encoding, { fatal: true, ignoreBOM: true });
  let line = 1;
  let startByte = 0;
  let carried: Buffer = Buffer.alloc(0);
  const decode = (chunk?: Buffer): string => {
    try {
      return chunk ? decoder.decode(chunk, { stream: true }) : decoder.decode();
    } catch (error) {
      const wrong = encoding === "utf-8" ? invalidAt(Buffer.concat([carried, chunk ?? Buffer.alloc(0)])) : undefined;
      const place = {
        line: String(line + (wrong?.lines ?? 0)),
        byte: String(startByte - carried.length + (wrong?.byte ?? 0)),
      };
      throw new DriverError("SOURCE_ENCODING", `${path}, line ${place.line}, byte ${place.byte}: not ${encoding}`, {
        metadata: { file: path, ...place, encoding },
        cause: error,
      });
    }
  };
  for await (const chunk of isCut ? beginningOf(path, signal) : chunksOf(path, { signal })) {
    for (let from = 0; from < chunk.length; from += TEXT_BYTES) {
      const part = chunk.subarray(from, from + TEXT_BYTES);
      const text = decode(part);
      yield { text, startByte: startByte - carried.length };
      for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) line++;
      startByte += part.length;
      carried = encoding === "utf-8" ? cutCharacter(part) : carried;
    }
  }
  const rest = isCut ? "" : decode();
  if (rest !== "") yield { text: rest, startByte };
}

/** What there is of a file that still arrives, whose compression is cut off then. */
async function* beginningOf(path: string, signal: AbortSignal): AsyncGenerator<Buffer> {
  try {
    yield* chunksOf(path, { signal });
  } catch (error) {
    if (!(error instanceof DriverError) || error.reason !== "SOURCE_TRUNCATED") throw error;
  }
}

/** The bytes at the end of a chunk that begin a character of UTF-8 and don't end it. */
function cutCharacter(chunk: Buffer): Buffer {
  for (let back = 1; back <= Math.min(3, chunk.length); back++) {
    const byte = chunk[chunk.length - back] ?? 0;
    if (byte < 0x80) break;
    if (byte < 0xc0) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    return length > back ? chunk.subarray(chunk.length - back) : chunk.subarray(chunk.length);
  }
  return chunk.subarray(chunk.length);
}

const REPLACEMENT = Buffer.from("\uFFFD");

/** The first byte that is no UTF-8, and how many lines end before it. */
function invalidAt(bytes: Buffer): { readonly byte: number; readonly lines: number } {
  const text = bytes.toString("utf8");
  let byte = 0;
  let from = 0;
  for (;;) {
    const at = text.indexOf("\uFFFD", from);
    if (at < 0) return { byte: bytes.length, lines: text.split("\n").length - 1 };
    byte += Buffer.byteLength(text.slice(from, at));
    // The character may stand in the document itself.
    if (!bytes.subarray(byte, byte + REPLACEMENT.length).equals(REPLACEMENT))
      return { byte, lines: text.slice(0, at).split("\n").length - 1 };
    byte += REPLACEMENT.length;
    from = at + 1;
  }
}
