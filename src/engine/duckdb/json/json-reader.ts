import {
  type DuckDBArrayType,
  type DuckDBDecimalType,
  type DuckDBListType,
  type DuckDBMapType,
  type DuckDBStructType,
  type DuckDBType,
  DuckDBTypeId,
  type DuckDBUnionType,
} from "@duckdb/node-api";
import type { JsonValue } from "../../types.ts";
import type { ArrayPart, BytesPart, FixedPart, ListPart, Part, StructPart, UnionPart } from "../vectors/part.ts";
import { at, isValid } from "../vectors/part.ts";
import { decimalText, float32Json, floatJson, hugeInt } from "./numbers.ts";
import { dateText, intervalText, timestampText, timeText } from "./times.ts";

/** Gives the value of a row. */
type RowReader = (row: number) => JsonValue;

/** Makes the reader of a part of this type. NULL is null whatever the type. */
export function jsonReader(type: DuckDBType, part: Part): RowReader {
  const read = valueReader(type, part);
  const { validity } = part;
  return validity === undefined ? read : (row) => (isValid(validity, row) ? read(row) : null);
}

function valueReader(type: DuckDBType, part: Part): RowReader {
  switch (part.kind) {
    case "fixed":
      return fixedReader(type, part);
    case "bytes":
      return bytesReader(type, part);
    case "list":
      return type.typeId === DuckDBTypeId.MAP
        ? mapReader(type as DuckDBMapType, part)
        : listReader(type as DuckDBListType, part);
    case "array":
      return arrayReader(type as DuckDBArrayType, part);
    case "struct":
      return structReader(type as DuckDBStructType, part);
    case "union":
      return unionReader(type as DuckDBUnionType, part);
    case "null":
      return () => null;
  }
}

function fixedReader(type: DuckDBType, part: FixedPart): RowReader {
  const { buffer, byteOffset } = part.data;
  const int8 = part.data;
  switch (type.typeId) {
    case DuckDBTypeId.BOOLEAN:
      return (row) => int8[row] !== 0;
    case DuckDBTypeId.UTINYINT:
      return (row) => int8[row] as number;
    case DuckDBTypeId.TINYINT:
      return numberReader(new Int8Array(buffer, byteOffset, part.count));
    case DuckDBTypeId.SMALLINT:
      return numberReader(new Int16Array(buffer, byteOffset, part.count));
    case DuckDBTypeId.USMALLINT:
      return numberReader(new Uint16Array(buffer, byteOffset, part.count));
    case DuckDBTypeId.INTEGER:
      return numberReader(new Int32Array(buffer, byteOffset, part.count));
    case DuckDBTypeId.UINTEGER:
      return numberReader(new Uint32Array(buffer, byteOffset, part.count));
    case DuckDBTypeId.FLOAT: {
      const values = new Float32Array(buffer, byteOffset, part.count);
      return (row) => float32Json(values[row] as number);
    }
    case DuckDBTypeId.DOUBLE: {
      const values = new Float64Array(buffer, byteOffset, part.count);
      return (row) => floatJson(values[row] as number);
    }
    case DuckDBTypeId.DATE: {
      const values = new Int32Array(buffer, byteOffset, part.count);
      return (row) => dateText(values[row] as number);
    }
    case DuckDBTypeId.UBIGINT: {
      const values = new BigUint64Array(buffer, byteOffset, part.count);
      return (row) => String(values[row]);
    }
    case DuckDBTypeId.HUGEINT:
    case DuckDBTypeId.UHUGEINT: {
      const halves = new BigUint64Array(buffer, byteOffset, part.count * 2);
      const signed = type.typeId === DuckDBTypeId.HUGEINT;
      return (row) => String(hugeInt(halves, row, signed));
    }
    case DuckDBTypeId.DECIMAL:
      return decimalReader(type as DuckDBDecimalType, part);
    case DuckDBTypeId.INTERVAL: {
      const words = new Int32Array(buffer, byteOffset, part.count * 4);
      const halves = new BigInt64Array(buffer, byteOffset, part.count * 2);
      return (row) => intervalText(at(words, row * 4), at(words, row * 4 + 1), halves[row * 2 + 1] as bigint);
    }
    default:
      return int64Reader(type.typeId, new BigInt64Array(buffer, byteOffset, part.count));
  }
}

function numberReader(values: Int8Array | Int16Array | Uint16Array | Int32Array | Uint32Array): RowReader {
  return (row) => values[row] as number;
}

function int64Reader(typeId: DuckDBTypeId, values: BigInt64Array): RowReader {
  switch (typeId) {
    case DuckDBTypeId.TIME:
      return (row) => timeText(values[row] as bigint, 1e6);
    case DuckDBTypeId.TIME_NS:
      return (row) => timeText(values[row] as bigint, 1e9);
    case DuckDBTypeId.TIMESTAMP:
      return (row) => timestampText(values[row] as bigint, 1e6, "");
    case DuckDBTypeId.TIMESTAMP_S:
      return (row) => timestampText(values[row] as bigint, 1, "");
    case DuckDBTypeId.TIMESTAMP_MS:
      return (row) => timestampText(values[row] as bigint, 1e3, "");
    case DuckDBTypeId.TIMESTAMP_NS:
      return (row) => timestampText(values[row] as bigint, 1e9, "");
    case DuckDBTypeId.TIMESTAMP_TZ:
      return (row) => timestampText(values[row] as bigint, 1e6, "Z");
    default:
      return (row) => String(values[row]);
  }
}

function decimalReader({ scale }: DuckDBDecimalType, part: FixedPart): RowReader {
  const { buffer, byteOffset } = part.data;
  switch (part.width) {
    case 2: {
      const values = new Int16Array(buffer, byteOffset, part.count);
      return (row) => decimalText(BigInt(values[row] as number), scale);
    }
    case 4: {
      const values = new Int32Array(buffer, byteOffset, part.count);
      return (row) => decimalText(BigInt(values[row] as number), scale);
    }
    case 8: {
      const values = new BigInt64Array(buffer, byteOffset, part.count);
      return (row) => decimalText(values[row] as bigint, scale);
    }
    default: {
      const halves = new BigUint64Array(buffer, byteOffset, part.count * 2);
      return (row) => decimalText(hugeInt(halves, row, true), scale);
    }
  }
}

function bytesReader(type: DuckDBType, { offsets, bytes }: BytesPart): RowReader {
  const binary = type.typeId === DuckDBTypeId.BLOB || type.typeId === DuckDBTypeId.GEOMETRY;
  const encoding = binary ? "base64" : "utf8";
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return (row) => buffer.toString(encoding, at(offsets, row), at(offsets, row + 1));
}

function listReader({ valueType }: DuckDBListType, { offsets, child }: ListPart): RowReader {
  const read = jsonReader(valueType, child);
  return (row) => readRange(read, at(offsets, row), at(offsets, row + 1));
}

function arrayReader({ valueType }: DuckDBArrayType, { length, child }: ArrayPart): RowReader {
  const read = jsonReader(valueType, child);
  return (row) => readRange(read, row * length, (row + 1) * length);
}

function readRange(read: RowReader, from: number, to: number): JsonValue[] {
  return Array.from({ length: to - from }, (_, index) => read(from + index));
}

function mapReader({ keyType, valueType }: DuckDBMapType, { offsets, child }: ListPart): RowReader {
  const [keys, values] = (child as StructPart).children;
  const readKey = jsonReader(keyType, keys as Part);
  const readValue = jsonReader(valueType, values as Part);
  const entry = (row: number) => ({ key: readKey(row), value: readValue(row) });
  return (row) => readRange(entry, at(offsets, row), at(offsets, row + 1));
}

/** A struct whose members have no names (`row(1, 2)`) is an array. `fromEntries` also takes a member named `__proto__`. */
function structReader({ entryNames, entryTypes }: DuckDBStructType, { children }: StructPart): RowReader {
  const readers = children.map((child, index) => jsonReader(entryTypes[index] as DuckDBType, child));
  if (entryNames.every((name) => name === "")) return (row) => readers.map((read) => read(row));
  return (row) => Object.fromEntries(readers.map((read, index) => [entryNames[index], read(row)]));
}

function unionReader({ memberTags, memberTypes }: DuckDBUnionType, { tags, children }: UnionPart): RowReader {
  const readers = children.map((child, index) => jsonReader(memberTypes[index] as DuckDBType, child));
  return (row) => {
    const tag = tags[row] as number;
    return Object.fromEntries([[memberTags[tag], readers[tag]?.(row) ?? null]]);
  };
}
