import type { TypeKind } from "../../types.ts";

/** How one engine type travels. docs/types.md is made of these, and the tests go through them. */
export interface TypeRow {
  /** The type as SQL text, with letters for what varies. */
  readonly type: string;
  readonly kind: TypeKind;
  readonly arrow: string;
  readonly json: string;
  /** An example of the JSON form. */
  readonly example: string;
}

/** Every type that a column of a result can have. */
export const typeTable: readonly TypeRow[] = [
  { type: "BOOLEAN", kind: "boolean", arrow: "Bool", json: "boolean", example: "true" },
  { type: "TINYINT", kind: "integer", arrow: "Int8", json: "number", example: "-128" },
  { type: "SMALLINT", kind: "integer", arrow: "Int16", json: "number", example: "-32768" },
  { type: "INTEGER", kind: "integer", arrow: "Int32", json: "number", example: "42" },
  { type: "BIGINT", kind: "integer", arrow: "Int64", json: "string of digits", example: '"9007199254740993"' },
  { type: "HUGEINT", kind: "integer", arrow: "Decimal256(39, 0)", json: "string of digits", example: '"-1"' },
  { type: "UTINYINT", kind: "integer", arrow: "Uint8", json: "number", example: "255" },
  { type: "USMALLINT", kind: "integer", arrow: "Uint16", json: "number", example: "65535" },
  { type: "UINTEGER", kind: "integer", arrow: "Uint32", json: "number", example: "4294967295" },
  { type: "UBIGINT", kind: "integer", arrow: "Uint64", json: "string of digits", example: '"18446744073709551615"' },
  { type: "UHUGEINT", kind: "integer", arrow: "Decimal256(39, 0)", json: "string of digits", example: '"0"' },
  { type: "BIGNUM", kind: "integer", arrow: "Utf8, digits", json: "string of digits", example: '"1"' },
  {
    type: "DECIMAL(p,s)",
    kind: "decimal",
    arrow: "Decimal128(p, s)",
    json: "string with s digits after the point",
    example: '"12.30"',
  },
  {
    type: "FLOAT",
    kind: "float",
    arrow: "Float32",
    json: 'number, the shortest that reads back the same; `"NaN"`, `"Infinity"`, `"-Infinity"`',
    example: "0.1",
  },
  {
    type: "DOUBLE",
    kind: "float",
    arrow: "Float64",
    json: 'number; `"NaN"`, `"Infinity"`, `"-Infinity"`',
    example: "0.1",
  },
  { type: "VARCHAR", kind: "text", arrow: "Utf8", json: "string", example: '"Zürich"' },
  { type: "JSON", kind: "text", arrow: "Utf8", json: "string, not parsed", example: '"{\\"a\\":1}"' },
  { type: "ENUM(…)", kind: "text", arrow: "Utf8", json: "string", example: '"small"' },
  { type: "BLOB", kind: "binary", arrow: "Binary", json: "base64", example: '"3q2+7w=="' },
  {
    type: "DATE",
    kind: "date",
    arrow: "Date32",
    json: 'ISO 8601; `"infinity"`, `"-infinity"`',
    example: '"2024-02-29"',
  },
  {
    type: "TIME",
    kind: "time",
    arrow: "Time64(microsecond)",
    json: "ISO 8601; the end of the day is `24:00:00`",
    example: '"12:34:56.789"',
  },
  { type: "TIME_NS", kind: "time", arrow: "Time64(nanosecond)", json: "ISO 8601", example: '"12:34:56.123456789"' },
  {
    type: "TIME WITH TIME ZONE",
    kind: "time",
    arrow: "Utf8, as in JSON",
    json: "ISO 8601 with offset",
    example: '"12:34:56+02:00"',
  },
  {
    type: "TIMESTAMP",
    kind: "timestamp",
    arrow: "Timestamp(microsecond)",
    json: 'ISO 8601; `"infinity"`, `"-infinity"`',
    example: '"2024-02-29T12:34:56.789"',
  },
  {
    type: "TIMESTAMP_S",
    kind: "timestamp",
    arrow: "Timestamp(second)",
    json: "as TIMESTAMP",
    example: '"2024-02-29T12:34:56"',
  },
  {
    type: "TIMESTAMP_MS",
    kind: "timestamp",
    arrow: "Timestamp(millisecond)",
    json: "as TIMESTAMP",
    example: '"2024-02-29T12:34:56.789"',
  },
  {
    type: "TIMESTAMP_NS",
    kind: "timestamp",
    arrow: "Timestamp(nanosecond)",
    json: "as TIMESTAMP",
    example: '"2024-02-29T12:34:56.123456789"',
  },
  {
    type: "TIMESTAMP WITH TIME ZONE",
    kind: "timestampTz",
    arrow: "Timestamp(microsecond, UTC)",
    json: "ISO 8601 in UTC; infinities as TIMESTAMP",
    example: '"2024-02-29T12:34:56Z"',
  },
  {
    type: "INTERVAL",
    kind: "interval",
    arrow: "Interval(month, day, nanosecond)",
    json: "ISO 8601 duration, a sign at each part",
    example: '"P1Y2M3DT4H5M6.5S"',
  },
  { type: "T[]", kind: "nested", arrow: "List", json: "array", example: "[1,null]" },
  { type: "T[n]", kind: "nested", arrow: "FixedSizeList(n)", json: "array", example: "[1,2,3]" },
  {
    type: "STRUCT(…)",
    kind: "nested",
    arrow: 'Struct; members without names are "1", "2", …',
    json: "object; an array if the members have no names",
    example: '{"a":1,"b":"x"}',
  },
  {
    type: "MAP(K, V)",
    kind: "nested",
    arrow: "Map",
    json: "array of entries, in the engine's order",
    example: '[{"key":"a","value":1}]',
  },
  {
    type: "UNION(…)",
    kind: "nested",
    arrow: "Union, sparse; NULL is a NULL of the first member",
    json: "object with the one member that is set",
    example: '{"num":5}',
  },
  { type: "UUID", kind: "other", arrow: "Utf8", json: "string", example: '"00112233-4455-6677-8899-aabbccddeeff"' },
  { type: "BIT", kind: "other", arrow: "Utf8, zeros and ones", json: "string of zeros and ones", example: '"0101"' },
  {
    type: "VARIANT",
    kind: "other",
    arrow: "Utf8, JSON text",
    json: "string of JSON text, its values in these forms; integers within ±2³² are numbers",
    example: '"{\\"a\\":1}"',
  },
  { type: "GEOMETRY", kind: "other", arrow: "Binary, WKB", json: "base64 of WKB", example: '"AQEAAAA…"' },
  { type: "NULL", kind: "other", arrow: "Null", json: "null", example: "null" },
];
