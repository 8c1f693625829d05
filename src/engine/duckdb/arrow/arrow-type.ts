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
import { Field, Schema } from "apache-arrow/schema";
import {
  Binary,
  Bool,
  type DataType,
  DateDay,
  Decimal,
  FixedSizeList,
  Float32,
  Float64,
  Int8,
  Int16,
  Int32,
  Int64,
  IntervalMonthDayNano,
  List,
  Map_,
  Null,
  SparseUnion,
  Struct,
  TimeMicrosecond,
  TimeNanosecond,
  TimestampMicrosecond,
  TimestampMillisecond,
  TimestampNanosecond,
  TimestampSecond,
  Uint8,
  Uint16,
  Uint32,
  Uint64,
  Utf8,
} from "apache-arrow/type";
import { typeText } from "../types/type-text.ts";

/** Name of the field metadata that holds the column's type as SQL text. */
export const TYPE_METADATA = "drover.type";

/** A column of a result. */
export interface TypedColumn {
  readonly name: string;
  readonly type: DuckDBType;
}

/** The Arrow schema of a result; every field says its engine type in its metadata. */
export function arrowSchema(columns: readonly TypedColumn[]): Schema {
  return new Schema(
    columns.map(({ name, type }) => new Field(name, arrowType(type), true, new Map([[TYPE_METADATA, typeText(type)]]))),
  );
}

/** The Arrow type that carries a DuckDB type without loss; docs/types.md lists them. */
export function arrowType(type: DuckDBType): DataType {
  switch (type.typeId) {
    case DuckDBTypeId.BOOLEAN:
      return new Bool();
    case DuckDBTypeId.TINYINT:
      return new Int8();
    case DuckDBTypeId.SMALLINT:
      return new Int16();
    case DuckDBTypeId.INTEGER:
      return new Int32();
    case DuckDBTypeId.BIGINT:
      return new Int64();
    case DuckDBTypeId.UTINYINT:
      return new Uint8();
    case DuckDBTypeId.USMALLINT:
      return new Uint16();
    case DuckDBTypeId.UINTEGER:
      return new Uint32();
    case DuckDBTypeId.UBIGINT:
      return new Uint64();
    case DuckDBTypeId.HUGEINT:
    case DuckDBTypeId.UHUGEINT:
      // Both have 39 digits at most, one more than a decimal of 128 bits may have.
      return new Decimal(0, 39, 256);
    case DuckDBTypeId.DECIMAL: {
      const { width, scale } = type as DuckDBDecimalType;
      return new Decimal(scale, width, 128);
    }
    case DuckDBTypeId.FLOAT:
      return new Float32();
    case DuckDBTypeId.DOUBLE:
      return new Float64();
    case DuckDBTypeId.BLOB:
    case DuckDBTypeId.GEOMETRY:
      return new Binary();
    case DuckDBTypeId.SQLNULL:
      return new Null();
    default:
      return timeType(type) ?? nestedType(type) ?? new Utf8();
  }
}

function timeType(type: DuckDBType): DataType | undefined {
  switch (type.typeId) {
    case DuckDBTypeId.DATE:
      return new DateDay();
    case DuckDBTypeId.TIME:
      return new TimeMicrosecond();
    case DuckDBTypeId.TIME_NS:
      return new TimeNanosecond();
    case DuckDBTypeId.TIMESTAMP:
      return new TimestampMicrosecond();
    case DuckDBTypeId.TIMESTAMP_S:
      return new TimestampSecond();
    case DuckDBTypeId.TIMESTAMP_MS:
      return new TimestampMillisecond();
    case DuckDBTypeId.TIMESTAMP_NS:
      return new TimestampNanosecond();
    case DuckDBTypeId.TIMESTAMP_TZ:
      return new TimestampMicrosecond("UTC");
    case DuckDBTypeId.INTERVAL:
      return new IntervalMonthDayNano();
    default:
      return undefined;
  }
}

function nestedType(type: DuckDBType): DataType | undefined {
  switch (type.typeId) {
    case DuckDBTypeId.LIST:
      return new List(new Field("item", arrowType((type as DuckDBListType).valueType), true));
    case DuckDBTypeId.ARRAY: {
      const { valueType, length } = type as DuckDBArrayType;
      return new FixedSizeList(length, new Field("item", arrowType(valueType), true));
    }
    case DuckDBTypeId.STRUCT: {
      const { entryNames, entryTypes } = type as DuckDBStructType;
      return new Struct(members(entryNames, entryTypes));
    }
    case DuckDBTypeId.MAP: {
      const { keyType, valueType } = type as DuckDBMapType;
      const key = new Field("key", arrowType(keyType), false);
      const value = new Field("value", arrowType(valueType), true);
      return new Map_(new Field("entries", new Struct<{ key: DataType; value: DataType }>([key, value]), false));
    }
    case DuckDBTypeId.UNION: {
      const { memberTags, memberTypes } = type as DuckDBUnionType;
      return new SparseUnion(Int32Array.from(memberTags.keys()), members(memberTags, memberTypes));
    }
    default:
      return undefined;
  }
}

/** Members without names are called by their place, from 1 as in SQL. */
function members(names: readonly string[], types: readonly DuckDBType[]): Field[] {
  return types.map((type, index) => new Field(names[index] || String(index + 1), arrowType(type), true));
}
