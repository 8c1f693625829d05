import duckdb from "@duckdb/node-bindings";
import { isValid } from "./part.ts";

/** Which rows of a vector are wanted, and which of them may be looked at. */
export interface Rows {
  /** How many rows the vector holds, as far as they are wanted. */
  readonly physical: number;
  /** How many are wanted. */
  readonly count: number;
  /** Their places in the vector; all from the first on when left out. */
  readonly selection: Int32Array | undefined;
  /**
   * A bitmap of the wanted rows whose parents are there. Below a NULL parent the engine may leave anything, also pointers
   * to nowhere.
   */
  readonly mask: Uint8Array | undefined;
}

export function allRows(count: number): Rows {
  return { physical: count, count, selection: undefined, mask: undefined };
}

/** The bytes of a vector's wanted rows, `width` each, in a buffer of their own. */
export function readFixed(vector: duckdb.Vector, width: number, rows: Rows): Uint8Array<ArrayBuffer> {
  const source = aligned(duckdb.vector_get_data(vector, rows.physical * width));
  const { selection, count } = rows;
  if (selection === undefined) return source;
  const target = new Uint8Array(count * width);
  for (let row = 0; row < count; row++) {
    const start = (selection[row] as number) * width;
    for (let byte = 0; byte < width; byte++) target[row * width + byte] = source[start + byte] as number;
  }
  return target;
}

/** The wanted rows' validity, which already holds the mask. */
export function readValidity(vector: duckdb.Vector, rows: Rows): Uint8Array | undefined {
  const { physical, count, selection, mask } = rows;
  // The binding types the answer as bytes always; it is null for a vector without NULL.
  const bits: Uint8Array | null = duckdb.vector_get_validity(vector, Math.ceil(physical / 64) * 8);
  if (!bits) return mask;
  const own = selection === undefined ? bits : selectBits(bits, selection, count);
  return mask === undefined ? own : andBits(own, mask, count);
}

/** Arrow and DuckDB number the bits of a bitmap alike: least significant first. */
export function andBits(left: Uint8Array, right: Uint8Array, count: number): Uint8Array {
  const both = new Uint8Array((count + 7) >> 3);
  for (let byte = 0; byte < both.length; byte++) both[byte] = (left[byte] ?? 0) & (right[byte] ?? 0);
  return both;
}

function selectBits(bits: Uint8Array, selection: Int32Array, count: number): Uint8Array {
  const selected = new Uint8Array((count + 7) >> 3);
  for (let row = 0; row < count; row++) {
    if (isValid(bits, selection[row] as number)) selected[row >> 3] = (selected[row >> 3] ?? 0) | (1 << (row & 7));
  }
  return selected;
}

/** Typed arrays of wider elements need a start that divides by 8; the binding gives it today but does not promise it. */
function aligned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes.byteOffset % 8 === 0 && bytes.buffer instanceof ArrayBuffer
    ? (bytes as Uint8Array<ArrayBuffer>)
    : new Uint8Array(bytes);
}
