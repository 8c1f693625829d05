const QUOTE = 0x22;
const LINE_FEED = 0x0a;

/** Rows of long values: more than this is not looked at, but for one whole record. */
const MAX_BYTES = 4 * 1024 * 1024;

/** The first records of text in the exchange dialect; the rest is left unread. */
export async function firstRecords(chunks: AsyncIterable<Uint8Array>, wanted: number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let inside = false;
  let records = 0;
  let bytes = 0;
  /** Where the last whole record ends. */
  let end = 0;
  for await (const chunk of chunks) {
    parts.push(chunk);
    for (let at = 0; at < chunk.length && records < wanted; at++) {
      if (chunk[at] === QUOTE) inside = !inside;
      else if (chunk[at] === LINE_FEED && !inside) {
        records++;
        end = bytes + at + 1;
      }
    }
    bytes += chunk.length;
    if (records >= wanted || (bytes > MAX_BYTES && records > 0)) return Buffer.concat(parts).subarray(0, end);
  }
  return Buffer.concat(parts);
}
