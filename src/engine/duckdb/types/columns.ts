import { type DuckDBType, DuckDBTypeId } from "@duckdb/node-api";
import type { Column, TypeKind } from "../../types.ts";
import { typeText } from "./type-text.ts";

const KINDS: Readonly<Partial<Record<DuckDBTypeId, TypeKind>>> = {
  [DuckDBTypeId.BOOLEAN]: "boolean",
  [DuckDBTypeId.TINYINT]: "integer",
  [DuckDBTypeId.SMALLINT]: "integer",
  [DuckDBTypeId.INTEGER]: "integer",
  [DuckDBTypeId.BIGINT]: "integer",
  [DuckDBTypeId.HUGEINT]: "integer",
  [DuckDBTypeId.UTINYINT]: "integer",
  [DuckDBTypeId.USMALLINT]: "integer",
  [DuckDBTypeId.UINTEGER]: "integer",
  [DuckDBTypeId.UBIGINT]: "integer",
  [DuckDBTypeId.UHUGEINT]: "integer",
  [DuckDBTypeId.BIGNUM]: "integer",
  [DuckDBTypeId.FLOAT]: "float",
  [DuckDBTypeId.DOUBLE]: "float",
  [DuckDBTypeId.DECIMAL]: "decimal",
  [DuckDBTypeId.VARCHAR]: "text",
  [DuckDBTypeId.ENUM]: "text",
  [DuckDBTypeId.BLOB]: "binary",
  [DuckDBTypeId.DATE]: "date",
  [DuckDBTypeId.TIME]: "time",
  [DuckDBTypeId.TIME_NS]: "time",
  [DuckDBTypeId.TIME_TZ]: "time",
  [DuckDBTypeId.TIMESTAMP]: "timestamp",
  [DuckDBTypeId.TIMESTAMP_S]: "timestamp",
  [DuckDBTypeId.TIMESTAMP_MS]: "timestamp",
  [DuckDBTypeId.TIMESTAMP_NS]: "timestamp",
  [DuckDBTypeId.TIMESTAMP_TZ]: "timestampTz",
  [DuckDBTypeId.INTERVAL]: "interval",
  [DuckDBTypeId.LIST]: "nested",
  [DuckDBTypeId.ARRAY]: "nested",
  [DuckDBTypeId.STRUCT]: "nested",
  [DuckDBTypeId.MAP]: "nested",
  [DuckDBTypeId.UNION]: "nested",
};

/** The family of a DuckDB type; UUID, BIT, VARIANT, GEOMETRY and the type of a bare NULL are `other`. */
export function kindOfType(type: DuckDBType): TypeKind {
  return KINDS[type.typeId] ?? "other";
}

/** The column that a result, a file or a prepared statement names `name` with this type. */
export function columnFromType(name: string, type: DuckDBType): Column {
  return { name, type: typeText(type), kind: kindOfType(type) };
}
