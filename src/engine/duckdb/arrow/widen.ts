import { type DuckDBType, DuckDBTypeId } from "@duckdb/node-api";
import { DriverError } from "../../../errors/driver-error.ts";
import { intervalText } from "../json/times.ts";
import { type FixedPart, isValid } from "../vectors/part.ts";
import { setBit } from "./bitmap.ts";

interface FixedRange {
  readonly part: FixedPart;
  readonly from: number;
  readonly to: number;
}

interface FixedBuffer {
  readonly length: number;
  write(target: Uint8Array): void;
}

/** The values of a type with a width, as Arrow wants them: most are copied as they lie. */
export function fixedWriter(type: DuckDBType, ranges: readonly FixedRange[], rows: number): FixedBuffer {
  switch (type.typeId) {
    case DuckDBTypeId.BOOLEAN:
      return { length: (rows + 7) >> 3, write: (target) => forEachRow(ranges, packBoolean(target)) };
    case DuckDBTypeId.HUGEINT:
      return widened(ranges, rows, 8, true);
    case DuckDBTypeId.UHUGEINT:
      return widened(ranges, rows, 8, false);
    case DuckDBTypeId.DECIMAL:
      return ranges[0]?.part.width === 16 ? copied(ranges, rows) : widened(ranges, rows, 4, true);
    case DuckDBTypeId.INTERVAL:
      return { length: rows * 16, write: (target) => forEachRow(ranges, writeInterval(target)) };
    default:
      return copied(ranges, rows);
  }
}

function copied(ranges: readonly FixedRange[], rows: number): FixedBuffer {
  const width = ranges[0]?.part.width ?? 1;
  return {
    length: rows * width,
    write(target) {
      let position = 0;
      for (const { part, from, to } of ranges) {
        target.set(part.data.subarray(from * width, to * width), position);
        position += (to - from) * width;
      }
    },
  };
}

/** Integers of any width as two's complement numbers of `words` 32-bit words. */
function widened(ranges: readonly FixedRange[], rows: number, words: number, signed: boolean): FixedBuffer {
  return {
    length: rows * words * 4,
    write(target) {
      const values = new Int32Array(target.buffer, target.byteOffset, rows * words);
      let row = 0;
      for (const { part, from, to } of ranges) {
        const source = sourceWords(part);
        const sourceWidth = Math.max(1, part.width / 4);
        for (let index = from; index < to; index++, row++) {
          const start = row * words;
          for (let word = 0; word < sourceWidth; word++)
            values[start + word] = source[index * sourceWidth + word] as number;
          const sign = signed ? (values[start + sourceWidth - 1] as number) >> 31 : 0;
          if (sign !== 0) values.fill(sign, start + sourceWidth, start + words);
        }
      }
    },
  };
}

function sourceWords({ data, width, count }: FixedPart): Int16Array | Int32Array {
  return width === 2
    ? new Int16Array(data.buffer, data.byteOffset, count)
    : new Int32Array(data.buffer, data.byteOffset, (count * width) / 4);
}

type WriteRow = (part: FixedPart, index: number, row: number) => void;

function forEachRow(ranges: readonly FixedRange[], write: WriteRow): void {
  let row = 0;
  for (const { part, from, to } of ranges) for (let index = from; index < to; index++) write(part, index, row++);
}

/** The engine has a byte for each boolean, Arrow a bit. */
function packBoolean(target: Uint8Array): WriteRow {
  return ({ data }, index, row) => {
    if (data[index]) setBit(target, row);
  };
}

const MAX_INT64 = 0x7fff_ffff_ffff_ffffn;

/** Months and days lie alike; the microseconds become nanoseconds, which reach 292 years. */
function writeInterval(target: Uint8Array): WriteRow {
  const view = new DataView(target.buffer, target.byteOffset, target.byteLength);
  return (part, index, row) => {
    if (!isValid(part.validity, index)) return;
    const source = new DataView(part.data.buffer, part.data.byteOffset + index * 16, 16);
    const [months, days, micros] = [source.getInt32(0, true), source.getInt32(4, true), source.getBigInt64(8, true)];
    const nanos = micros * 1000n;
    if (nanos > MAX_INT64 || nanos < -MAX_INT64) {
      const text = intervalText(months, days, micros);
      throw new DriverError(
        "VALUE_OUT_OF_RANGE",
        `the interval ${text} has more time than Arrow can carry (292 years)`,
        {
          metadata: { value: text, type: "INTERVAL" },
        },
      );
    }
    view.setInt32(row * 16, months, true);
    view.setInt32(row * 16 + 4, days, true);
    view.setBigInt64(row * 16 + 8, nanos, true);
  };
}
