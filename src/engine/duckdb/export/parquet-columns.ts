import {
  type DuckDBArrayType,
  type DuckDBListType,
  type DuckDBMapType,
  type DuckDBStructType,
  type DuckDBType,
  DuckDBTypeId,
} from "@duckdb/node-api";
import { quoteIdentifier } from "../quoting.ts";
import { nameText, typeText } from "../types/type-text.ts";

/**
 * What the engine writes to Parquet only with a loss, and as what it is written instead (measured: 128-bit integers become DOUBLE,
 * times with a zone lose it, intervals lose what is below a millisecond, and negative ones fail).
 */
const REPLACED: ReadonlyMap<DuckDBTypeId, string> = new Map([
  [DuckDBTypeId.HUGEINT, "DECIMAL(38,0)"],
  [DuckDBTypeId.UHUGEINT, "DECIMAL(38,0)"],
  [DuckDBTypeId.TIME_TZ, "VARCHAR"],
  [DuckDBTypeId.INTERVAL, "VARCHAR"],
]);

/** The SQL of a column as it goes into a Parquet file without a loss, under its name. */
export function parquetColumn(name: string, type: DuckDBType): string {
  const column = quoteIdentifier(name);
  // A union becomes a struct with a number that only this engine understands; JSON says which member it is.
  if (containsUnion(type)) return `CAST(to_json(${column}) AS VARCHAR) AS ${column}`;
  const target = parquetType(type);
  return target === undefined ? column : `CAST(${column} AS ${target}) AS ${column}`;
}

/** The type to be cast to; undefined where the type can stay. */
function parquetType(type: DuckDBType): string | undefined {
  switch (type.typeId) {
    case DuckDBTypeId.LIST: {
      const value = parquetType((type as DuckDBListType).valueType);
      return value && `${value}[]`;
    }
    case DuckDBTypeId.ARRAY: {
      const { valueType, length } = type as DuckDBArrayType;
      const value = parquetType(valueType);
      return value && `${value}[${length}]`;
    }
    case DuckDBTypeId.MAP: {
      const { keyType, valueType } = type as DuckDBMapType;
      const [key, value] = [parquetType(keyType), parquetType(valueType)];
      return key || value ? `MAP(${key ?? typeText(keyType)}, ${value ?? typeText(valueType)})` : undefined;
    }
    case DuckDBTypeId.STRUCT:
      return structType(type as DuckDBStructType);
    default:
      return REPLACED.get(type.typeId);
  }
}

function structType({ entryNames, entryTypes }: DuckDBStructType): string | undefined {
  const targets = entryTypes.map(parquetType);
  if (targets.every((target) => target === undefined)) return undefined;
  const members = entryTypes.map((type, index) => {
    const target = targets[index] ?? typeText(type);
    const name = entryNames[index];
    return name ? `${nameText(name)} ${target}` : target;
  });
  return `STRUCT(${members.join(", ")})`;
}

function containsUnion(type: DuckDBType): boolean {
  switch (type.typeId) {
    case DuckDBTypeId.UNION:
      return true;
    case DuckDBTypeId.LIST:
      return containsUnion((type as DuckDBListType).valueType);
    case DuckDBTypeId.ARRAY:
      return containsUnion((type as DuckDBArrayType).valueType);
    case DuckDBTypeId.MAP: {
      const { keyType, valueType } = type as DuckDBMapType;
      return containsUnion(keyType) || containsUnion(valueType);
    }
    case DuckDBTypeId.STRUCT:
      return (type as DuckDBStructType).entryTypes.some(containsUnion);
    default:
      return false;
  }
}
