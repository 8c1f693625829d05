import {
  DuckDBArrayValue,
  DuckDBBitValue,
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBGeometryValue,
  DuckDBIntervalValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimeNSValue,
  DuckDBTimestampMillisecondsValue,
  DuckDBTimestampNanosecondsValue,
  DuckDBTimestampSecondsValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBTimeTZValue,
  DuckDBTimeValue,
  DuckDBUUIDValue,
  type DuckDBValue,
  DuckDBVariantValue,
} from "@duckdb/node-api";
import type { JsonValue } from "../../types.ts";
import { decimalText, floatJson } from "./numbers.ts";
import { dateText, intervalText, timestampText, timeText, timeTzText } from "./times.ts";

const MAX_JSON_INTEGER = BigInt(2 ** 32);

/** A VARIANT as JSON text. Its parts have no types outside, so they are told apart as they would be in a column of theirs. */
export function variantText(value: DuckDBValue): string {
  return JSON.stringify(variantJson(value));
}

function variantJson(value: DuckDBValue): JsonValue {
  if (value === null || value === undefined) return null;
  if (typeof value === "boolean" || typeof value === "string") return value;
  if (typeof value === "number") return floatJson(value);
  if (typeof value === "bigint") return integerJson(value);
  if (value instanceof DuckDBVariantValue) return variantJson(value.value);
  if (value instanceof DuckDBStructValue) {
    return Object.fromEntries(Object.entries(value.entries).map(([name, item]) => [name, variantJson(item)]));
  }
  if (value instanceof DuckDBListValue || value instanceof DuckDBArrayValue) return value.items.map(variantJson);
  if (value instanceof DuckDBMapValue) {
    return value.entries.map(({ key, value: item }) => ({ key: variantJson(key), value: variantJson(item) }));
  }
  return scalarText(value);
}

function integerJson(value: bigint): number | string {
  return value < MAX_JSON_INTEGER && value > -MAX_JSON_INTEGER ? Number(value) : String(value);
}

function scalarText(value: DuckDBValue): string {
  if (value instanceof DuckDBDecimalValue) return decimalText(value.value, value.scale);
  if (value instanceof DuckDBDateValue) return dateText(value.days);
  if (value instanceof DuckDBTimeValue) return timeText(value.micros, 1e6);
  if (value instanceof DuckDBTimeNSValue) return timeText(value.nanos, 1e9);
  if (value instanceof DuckDBTimeTZValue) return timeTzText(value.bits);
  if (value instanceof DuckDBTimestampTZValue) return timestampText(value.micros, 1e6, "Z");
  if (value instanceof DuckDBTimestampValue) return timestampText(value.micros, 1e6, "");
  if (value instanceof DuckDBTimestampSecondsValue) return timestampText(value.seconds, 1, "");
  if (value instanceof DuckDBTimestampMillisecondsValue) return timestampText(value.millis, 1e3, "");
  if (value instanceof DuckDBTimestampNanosecondsValue) return timestampText(value.nanos, 1e9, "");
  if (value instanceof DuckDBIntervalValue) return intervalText(value.months, value.days, value.micros);
  if (value instanceof DuckDBBlobValue) return Buffer.from(value.bytes).toString("base64");
  if (value instanceof DuckDBGeometryValue) return Buffer.from(value.bytes).toString("base64");
  if (value instanceof DuckDBUUIDValue || value instanceof DuckDBBitValue) return value.toString();
  return String(value);
}
