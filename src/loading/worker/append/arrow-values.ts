import { isUtf8 } from "node:buffer";
import { type Data, DataType, type Dictionary, Precision, type Timestamp, type TimeUnit } from "apache-arrow";
import { DriverError } from "../../../errors/driver-error.ts";
import type { SourceValue } from "../../../sources/connector.ts";
import { dateOfDays, decimalText, nanosOf, shortestFloat, timestampText, timeText } from "./arrow-texts.ts";

/** The infinite timestamps, as docs/types.md says. */
const INFINITE = 2n ** 63n - 1n;

/** The value of a row, written for the engine; NULL where there is none. */
export type ReadValue = (row: number) => SourceValue;

/**
 * How the values of an Arrow column are written. They are taken from its memory, because the library's own getters make
 * milliseconds of every timestamp. Undefined for types that have no such way.
 */
export function arrowScalar(data: Data): ReadValue | undefined {
  const read = presentScalar(data);
  return read && ((row) => (data.getValid(row) ? read(row) : null));
}

/** The same as JSON values, for lists and structs. */
export function arrowJson(data: Data): ((row: number) => unknown) | undefined {
  const { type, children } = data;
  const [item, ...others] = children.map(arrowJson);
  const members = [item, ...others];
  if (children.length === 0) return DataType.isBinary(type) ? undefined : arrowScalar(data);
  if (members.some((member) => member === undefined)) return undefined;
  if (DataType.isStruct(type)) {
    const names = type.children.map(({ name }) => name);
    return (row) =>
      data.getValid(row) ? Object.fromEntries(names.map((name, at) => [name, members[at]?.(row) ?? null])) : null;
  }
  if (!DataType.isList(type) && !DataType.isFixedSizeList(type)) return undefined;
  return (row) => {
    if (!data.getValid(row)) return null;
    const [start, end] = DataType.isFixedSizeList(type)
      ? [row * type.listSize, (row + 1) * type.listSize]
      : [Number(data.valueOffsets[row]), Number(data.valueOffsets[row + 1])];
    return Array.from({ length: end - start }, (_, at) => item?.(start + at) ?? null);
  };
}

function presentScalar(data: Data): ReadValue | undefined {
  const { type, values } = data;
  if (DataType.isNull(type)) return () => null;
  if (DataType.isBool(type)) return (row) => bit(values, data.offset + row);
  if (DataType.isInt(type)) return (row) => String(values[row]);
  if (DataType.isFloat(type)) return floats(data);
  if (DataType.isUtf8(type) || DataType.isLargeUtf8(type)) return (row) => utf8(bytesAt(data, row));
  if (DataType.isBinary(type) || DataType.isLargeBinary(type)) return (row) => bytesAt(data, row);
  if (DataType.isFixedSizeBinary(type)) {
    const size = type.byteWidth;
    return (row) => values.subarray(row * size, (row + 1) * size);
  }
  if (DataType.isDecimal(type)) {
    const words = type.bitWidth / 32;
    return (row) => decimalText(values.subarray(row * words, (row + 1) * words), type.scale);
  }
  if (DataType.isDate(type)) {
    const perDay = values instanceof BigInt64Array ? 86_400_000 : 1;
    return (row) => dateOfDays(Math.floor(Number(values[row]) / perDay));
  }
  if (DataType.isTimestamp(type)) return timestamps(values, type);
  if (DataType.isTime(type)) return (row) => timeText(nanosOf(BigInt(values[row]), type.unit as TimeUnit));
  return DataType.isDictionary(type) ? dictionary(data as Data<Dictionary>) : undefined;
}

function floats({ type, values }: Data): ReadValue | undefined {
  if (!DataType.isFloat(type) || type.precision === Precision.HALF) return undefined;
  return type.precision === Precision.SINGLE ? (row) => shortestFloat(values[row]) : (row) => String(values[row]);
}

function timestamps(values: BigInt64Array, { unit, timezone }: Timestamp): ReadValue {
  const zone = timezone ? "+00" : "";
  return (row) => {
    const value = values[row] as bigint;
    if (value === INFINITE || value === -INFINITE) return value > 0n ? "infinity" : "-infinity";
    return timestampText(nanosOf(value, unit)) + zone;
  };
}

function dictionary({ values, dictionary: words }: Data<Dictionary>): ReadValue | undefined {
  const texts: SourceValue[] = [];
  for (const chunk of words?.data ?? []) {
    const read = arrowScalar(chunk);
    if (read === undefined) return undefined;
    for (let at = 0; at < chunk.length; at++) texts.push(read(at));
  }
  return (row) => texts[Number(values[row])] ?? null;
}

function bytesAt({ values, valueOffsets }: Data, row: number): Buffer {
  const [start, end] = [Number(valueOffsets[row]), Number(valueOffsets[row + 1])];
  return Buffer.from(values.buffer, values.byteOffset + start, end - start);
}

/** Not `toString` alone, which has a sign for what is no character. */
function utf8(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw new DriverError("MALFORMED_ARROW", "a text is not UTF-8");
  return bytes.toString("utf8");
}

function bit(values: Uint8Array, at: number): boolean {
  return (((values[at >> 3] as number) >> (at & 7)) & 1) === 1;
}

export function unsupportedArrow(type: DataType, column: string): DriverError {
  return new DriverError(
    "MALFORMED_ARROW",
    `column ${JSON.stringify(column)}: values of the Arrow type ${type} can't be appended`,
    { metadata: { column, type: String(type) } },
  );
}
