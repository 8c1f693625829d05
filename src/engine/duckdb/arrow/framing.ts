const CONTINUATION = 0xffff_ffff;
const PREFIX_BYTES = 8;

/** Rounds up to the alignment of buffers. */
export function padded(bytes: number): number {
  return (bytes + 7) & ~7;
}

/**
 * Frames a message as the Arrow IPC stream does: continuation marker, size of the metadata, metadata, body. The metadata is
 * padded so that the body starts at a multiple of 8. `fill` writes the body, which is all zeros before.
 * https://arrow.apache.org/docs/format/Columnar.html#encapsulated-message-format
 */
export function encapsulate(metadata: Uint8Array, bodyLength: number, fill: (body: Uint8Array) => void): Uint8Array {
  const metadataBytes = padded(metadata.length);
  const message = new Uint8Array(PREFIX_BYTES + metadataBytes + bodyLength);
  const prefix = new DataView(message.buffer, 0, PREFIX_BYTES);
  prefix.setUint32(0, CONTINUATION, true);
  prefix.setInt32(4, metadataBytes, true);
  message.set(metadata, PREFIX_BYTES);
  fill(message.subarray(PREFIX_BYTES + metadataBytes));
  return message;
}
