/** A file on its way into an archive. */
export interface TarFile {
  readonly path: string;
  readonly bytes: number;
  readonly content: AsyncIterable<Uint8Array>;
}

const BLOCK = 512;

/** Makes a tar archive of regular files; the same files make the same bytes. */
export async function* writeTar(files: AsyncIterable<TarFile>): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const { path, bytes, content } of files) {
    if (Buffer.byteLength(path) > 100) {
      const record = paxRecord("path", path);
      yield header("pax", record.length, "x");
      yield padded(record);
    }
    yield header(path, bytes, "0");
    let written = 0;
    for await (const piece of content) {
      written += piece.length;
      yield piece;
    }
    if (written !== bytes) throw new Error(`${path} has ${written} bytes, not ${bytes}`);
    if (bytes % BLOCK !== 0) yield new Uint8Array(BLOCK - (bytes % BLOCK));
  }
  yield new Uint8Array(2 * BLOCK);
}

function header(path: string, bytes: number, flag: "0" | "x"): Uint8Array {
  const block = Buffer.alloc(BLOCK);
  // A longer path stands in the header before; readers that don't know it get the beginning.
  Buffer.from(path).copy(block, 0, 0, 100);
  block.write(octal(0o644, 8), 100, "latin1");
  block.write(octal(0, 8), 108, "latin1");
  block.write(octal(0, 8), 116, "latin1");
  block.write(octal(bytes, 12), 124, "latin1");
  block.write(octal(0, 12), 136, "latin1");
  block.write(" ".repeat(8), 148, "latin1");
  block.write(flag, 156, "latin1");
  block.write("ustar\u000000", 257, "latin1");
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

function octal(value: number, length: number): string {
  return `${value.toString(8).padStart(length - 1, "0")}\0`;
}

/** Its length counts the digits of the length itself. */
function paxRecord(key: string, value: string): Uint8Array {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + String(rest).length;
  length = rest + String(length).length;
  return Buffer.from(`${length} ${key}=${value}\n`);
}

function padded(bytes: Uint8Array): Uint8Array {
  const block = new Uint8Array(Math.ceil(bytes.length / BLOCK) * BLOCK);
  block.set(bytes);
  return block;
}
