import {
  type DuckDBArrayType,
  type DuckDBEnumType,
  type DuckDBListType,
  type DuckDBMapType,
  type DuckDBStructType,
  type DuckDBType,
  DuckDBTypeId,
  type DuckDBUnionType,
} from "@duckdb/node-api";
import { keywords } from "./keywords.ts";

/** A name as SQL text, quoted only where DuckDB itself would. */
export function nameText(name: string): string {
  if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && !keywords.has(name.toLowerCase())) return name;
  return `"${name.replaceAll('"', '""')}"`;
}

/**
 * The SQL text of a type, as DuckDB's own `typeof` writes it: `STRUCT(a INTEGER, "b c" VARCHAR[])`. The binding's
 * `toString` quotes every name and drops aliases (JSON is an alias of VARCHAR).
 */
export function typeText(type: DuckDBType): string {
  if (type.alias !== undefined) return type.alias;
  switch (type.typeId) {
    case DuckDBTypeId.LIST:
      return `${typeText((type as DuckDBListType).valueType)}[]`;
    case DuckDBTypeId.ARRAY: {
      const { valueType, length } = type as DuckDBArrayType;
      return `${typeText(valueType)}[${length}]`;
    }
    case DuckDBTypeId.MAP: {
      const { keyType, valueType } = type as DuckDBMapType;
      return `MAP(${typeText(keyType)}, ${typeText(valueType)})`;
    }
    case DuckDBTypeId.STRUCT: {
      const { entryNames, entryTypes } = type as DuckDBStructType;
      return `STRUCT(${members(entryNames, entryTypes)})`;
    }
    case DuckDBTypeId.UNION: {
      const { memberTags, memberTypes } = type as DuckDBUnionType;
      return `UNION(${members(memberTags, memberTypes)})`;
    }
    case DuckDBTypeId.ENUM:
      return `ENUM(${(type as DuckDBEnumType).values.map((value) => `'${value.replaceAll("'", "''")}'`).join(", ")})`;
    default:
      return type.toString();
  }
}

/** A struct made by `row(…)` has members without names. */
function members(names: readonly string[], types: readonly DuckDBType[]): string {
  return types
    .map((type, index) => (names[index] ? `${nameText(names[index])} ${typeText(type)}` : typeText(type)))
    .join(", ");
}
