import { create } from "@bufbuild/protobuf";
import { base64Decode, base64Encode } from "@bufbuild/protobuf/wire";
import { NullValue, ValueSchema, type Value as WireValue } from "@bufbuild/protobuf/wkt";
import { clientError } from "./errors.ts";
import type { Column } from "./model.ts";

/** A constant that a filter or an expression may hold. Dates travel as ISO 8601, bytes as base64, bigints as text. */
export type Scalar = null | boolean | number | bigint | string | Date | Uint8Array;

/**
 * A value of a result, by the kind of its column:
 *
 * | kind | value |
 * |---|---|
 * | boolean | boolean |
 * | integer up to 32 bits | number |
 * | integer of 64 bits and more | bigint; see IntegerMode |
 * | decimal | string with every digit |
 * | float | number, NaN and infinities included |
 * | text, and every kind not named here | string |
 * | binary | Uint8Array |
 * | date, time, timestamp, interval | ISO 8601 string, never a Date: that has neither microseconds nor dates without a zone |
 * | nested | arrays and objects; values inside them stay as JSON carries them (large integers are strings there) |
 */
export type ResultValue = null | boolean | number | bigint | string | Uint8Array | readonly JsonValue[] | JsonObject;

/** A JSON value. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;

/** A JSON object. */
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

/**
 * What integers of 64 bits and more become. `bigint` (the default) and `string` are exact; `number` is too, because one
 * beyond 2^53 is refused with UNSAFE_INTEGER. `JSON.stringify` takes numbers and strings but no bigints.
 */
export type IntegerMode = "bigint" | "number" | "string";

/** Encodes a constant for the wire. */
export function toWire(value: Scalar): WireValue {
  return create(ValueSchema, { kind: wireKind(value) });
}

function wireKind(value: Scalar): WireValue["kind"] {
  if (value === null) return { case: "nullValue", value: NullValue.NULL_VALUE };
  if (typeof value === "boolean") return { case: "boolValue", value };
  if (typeof value === "number") return numberKind(value);
  if (value instanceof Date) return { case: "stringValue", value: isoText(value) };
  if (value instanceof Uint8Array) return { case: "stringValue", value: base64Encode(value) };
  return { case: "stringValue", value: String(value) };
}

function numberKind(value: number): WireValue["kind"] {
  // google.protobuf.Value has no NaN or infinities in JSON; the contract names them as text.
  if (!Number.isFinite(value)) return { case: "stringValue", value: String(value) };
  return { case: "numberValue", value };
}

function isoText(date: Date): string {
  if (Number.isNaN(date.getTime())) throw clientError("INVALID_ARGUMENT", "an invalid Date is no value");
  return date.toISOString();
}

/** Takes a value from the wire as plain JSON. */
export function toJson(value: WireValue | undefined): JsonValue {
  const kind = value?.kind;
  switch (kind?.case) {
    case undefined:
    case "nullValue":
      return null;
    case "listValue":
      return kind.value.values.map(toJson);
    case "structValue":
      return Object.fromEntries(Object.entries(kind.value.fields).map(([key, field]) => [key, toJson(field)]));
    default:
      return kind?.value ?? null;
  }
}

/** Takes values of one column from the wire. */
export type Decoder = (value: WireValue) => ResultValue;

/** Makes the decoder of a column. */
export function decoderOf(column: Column, integers: IntegerMode): Decoder {
  switch (column.kind) {
    case "integer":
      return (value) => decodeInteger(toJson(value), integers, column.name);
    case "float":
      return (value) => decodeFloat(toJson(value));
    case "binary":
      return (value) => decodeBinary(toJson(value));
    default:
      return toJson;
  }
}

function decodeInteger(value: JsonValue, mode: IntegerMode, name: string): ResultValue {
  if (typeof value !== "string" || mode === "string") return value;
  if (mode === "bigint") return BigInt(value);
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  throw clientError("UNSAFE_INTEGER", `column "${name}" holds ${value}, which a number can't hold exactly`, {
    metadata: { column: name, value },
  });
}

const namedFloats: Readonly<Record<string, number>> = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  "-Infinity": Number.NEGATIVE_INFINITY,
};

function decodeFloat(value: JsonValue): ResultValue {
  return typeof value === "string" ? (namedFloats[value] ?? Number(value)) : value;
}

function decodeBinary(value: JsonValue): ResultValue {
  return typeof value === "string" ? base64Decode(value) : value;
}
