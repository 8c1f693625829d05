import type { BytesPart, Part } from "./part.ts";
import { at, isValid } from "./part.ts";

/** Makes a text part of what `textOf` gives for each row that has a value. */
export function textPart(part: Part, textOf: (row: number) => string): BytesPart {
  const { count, validity } = part;
  const texts: string[] = [];
  const offsets = new Int32Array(count + 1);
  let total = 0;
  for (let row = 0; row < count; row++) {
    const text = isValid(validity, row) ? textOf(row) : "";
    texts.push(text);
    total += Buffer.byteLength(text);
    offsets[row + 1] = total;
  }
  return { kind: "bytes", count, validity, offsets, bytes: Buffer.from(texts.join("")) };
}

/** UUIDs lie as signed 128-bit integers whose sign bit is flipped, so that they sort like their text. */
export function uuidText(data: Uint8Array, row: number): string {
  let hex = "";
  for (let byte = 15; byte >= 0; byte--) {
    const value = (data[row * 16 + byte] as number) ^ (byte === 15 ? 0x80 : 0);
    hex += HEX[value];
    if (byte === 12 || byte === 10 || byte === 8 || byte === 6) hex += "-";
  }
  return hex;
}

const HEX = Array.from({ length: 256 }, (_, value) => value.toString(16).padStart(2, "0"));

/** The first byte counts the unused high bits of the second. */
export function bitText({ offsets, bytes }: BytesPart, row: number): string {
  const start = at(offsets, row);
  const end = at(offsets, row + 1);
  let bits = "";
  for (let index = start + 1; index < end; index++) bits += (bytes[index] as number).toString(2).padStart(8, "0");
  return bits.slice(bytes[start] ?? 0);
}

/** Three bytes of header, whose top bit is the sign (1: positive), then the magnitude; all are inverted if negative. */
export function bigNumText({ offsets, bytes }: BytesPart, row: number): string {
  const start = at(offsets, row);
  const positive = ((bytes[start] ?? 0) & 0x80) !== 0;
  let hex = "0x0";
  for (let index = start + 3; index < at(offsets, row + 1); index++) {
    const byte = bytes[index] as number;
    hex += HEX[positive ? byte : byte ^ 0xff];
  }
  const magnitude = BigInt(hex);
  return String(positive ? magnitude : -magnitude);
}
