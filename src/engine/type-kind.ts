import type { TypeKind } from "./types.ts";

const KINDS: Readonly<Record<string, TypeKind>> = {
  BOOLEAN: "boolean",
  TINYINT: "integer",
  SMALLINT: "integer",
  INTEGER: "integer",
  BIGINT: "integer",
  HUGEINT: "integer",
  UTINYINT: "integer",
  USMALLINT: "integer",
  UINTEGER: "integer",
  UBIGINT: "integer",
  UHUGEINT: "integer",
  BIGNUM: "integer",
  FLOAT: "float",
  DOUBLE: "float",
  DECIMAL: "decimal",
  VARCHAR: "text",
  JSON: "text",
  ENUM: "text",
  BLOB: "binary",
  DATE: "date",
  TIME: "time",
  TIME_NS: "time",
  "TIME WITH TIME ZONE": "time",
  TIMESTAMP: "timestamp",
  TIMESTAMP_S: "timestamp",
  TIMESTAMP_MS: "timestamp",
  TIMESTAMP_NS: "timestamp",
  "TIMESTAMP WITH TIME ZONE": "timestampTz",
  INTERVAL: "interval",
  STRUCT: "nested",
  MAP: "nested",
  UNION: "nested",
};

/** The family of a type that is known by its SQL text only, as the columns of a scan are. */
export function kindOfTypeText(type: string): TypeKind {
  if (type.endsWith("]")) return "nested";
  return KINDS[type.replace(/\(.*$/s, "")] ?? "other";
}
