import duckdb from "@duckdb/node-bindings";
import { DriverError } from "../../../errors/driver-error.ts";
import { at, type BytesPart, isValid } from "./part.ts";
import { type Rows, readFixed, readValidity } from "./selection.ts";

// duckdb_string_t: 16 bytes, a uint32 length, then up to 12 bytes of text or a prefix of 4 and a pointer.
const STRING_BYTES = 16;
const INLINE_BYTES = 12;
const POINTER_OFFSET = 8;
// Below this, copying in a loop is faster than TypedArray.set.
const SMALL_COPY = 24;
const MAX_BYTES = 0x7fff_ffff;

/** A stretch of the engine's memory that the long texts of neighbouring rows share, from one's start to another's end. */
interface Run {
  /** The first text's row, whose pointer is the run's start. */
  readonly row: number;
  lastRow: number;
  bytes: number;
  /** No short text lies between the run's in the target. */
  dense: boolean;
}

/**
 * Copies a VARCHAR or BLOB vector. The binding can only read one text behind one pointer at a time, which costs 0.6 µs each. But
 * the engine puts the texts of a chunk one behind the other into a few blocks, so one read serves all that touch: for
 * 20-byte texts there are 4 reads per chunk of 2,048 rows. Only bytes that belong to texts are ever read.
 */
export function readBytes(vector: duckdb.Vector, rows: Rows): BytesPart {
  const data = readFixed(vector, STRING_BYTES, rows);
  const validity = readValidity(vector, rows);
  const words = new Uint32Array(data.buffer, data.byteOffset, rows.count * 4);
  const offsets = new Int32Array(rows.count + 1);
  const runs = measure(words, validity, offsets);
  return { kind: "bytes", count: rows.count, validity, offsets, bytes: gather(data, offsets, runs) };
}

function gather(data: Uint8Array<ArrayBuffer>, offsets: Int32Array, runs: readonly Run[]): Uint8Array {
  const total = at(offsets, offsets.length - 1);
  const [only] = runs;
  if (only?.bytes === total) return readRun(data, only);
  const bytes = new Uint8Array(total);
  copyAll(data, offsets, runs, bytes);
  return bytes;
}

/** Fills in the offsets and finds the runs. */
function measure(words: Uint32Array, validity: Uint8Array | undefined, offsets: Int32Array): Run[] {
  const runs: Run[] = [];
  let run: Run = { row: -1, lastRow: -1, bytes: 0, dense: true };
  let sourceEnd = -1;
  let targetEnd = 0;
  let total = 0;
  for (let row = 0; row < offsets.length - 1; row++) {
    const length = isValid(validity, row) ? (words[row * 4] as number) : 0;
    if (length > INLINE_BYTES) {
      // User addresses have 47 bits, which a double holds exactly.
      const pointer = (words[row * 4 + 3] as number) * 0x1_0000_0000 + (words[row * 4 + 2] as number);
      if (pointer === sourceEnd) {
        run.dense &&= total === targetEnd;
      } else {
        run = { row, lastRow: row, bytes: 0, dense: true };
        runs.push(run);
      }
      run.lastRow = row;
      run.bytes += length;
      sourceEnd = pointer + length;
      targetEnd = total + length;
    }
    total += length;
    offsets[row + 1] = total;
  }
  if (total > MAX_BYTES)
    throw new DriverError("RESULT_TOO_LARGE", "the texts of one column take more than 2 GiB in 2,048 rows");
  return runs;
}

function copyAll(data: Uint8Array<ArrayBuffer>, offsets: Int32Array, runs: readonly Run[], bytes: Uint8Array): void {
  let next = 0;
  let run: Uint8Array = new Uint8Array(0);
  let position = 0;
  for (let row = 0; row < offsets.length - 1; row++) {
    const start = at(offsets, row);
    const length = at(offsets, row + 1) - start;
    const starting = runs[next];
    if (starting?.row === row) {
      next++;
      run = readRun(data, starting);
      position = 0;
      if (starting.dense) {
        bytes.set(run, start);
        row = starting.lastRow;
        continue;
      }
    }
    if (length <= INLINE_BYTES) {
      copy(data, row * STRING_BYTES + 4, length, bytes, start);
    } else {
      copy(run, position, length, bytes, start);
      position += length;
    }
  }
}

function readRun(data: Uint8Array<ArrayBuffer>, { row, bytes }: Run): Uint8Array {
  const offset = data.byteOffset + row * STRING_BYTES + POINTER_OFFSET;
  return duckdb.get_data_from_pointer(data.buffer, offset, bytes);
}

function copy(source: Uint8Array, from: number, length: number, target: Uint8Array, to: number): void {
  if (length > SMALL_COPY) {
    target.set(source.subarray(from, from + length), to);
    return;
  }
  for (let byte = 0; byte < length; byte++) target[to + byte] = source[from + byte] as number;
}
