import {
  type DuckDBArrayType,
  type DuckDBDecimalType,
  type DuckDBEnumType,
  type DuckDBListType,
  type DuckDBMapType,
  type DuckDBStructType,
  type DuckDBType,
  DuckDBTypeId,
  type DuckDBUnionType,
} from "@duckdb/node-api";
import { DriverError } from "../../../errors/driver-error.ts";
import { typeText } from "../types/type-text.ts";
import type { FixedWidth } from "./part.ts";

/** How a type lies in the engine's vectors and what part it becomes. Made once for a result. */
export type Layout =
  | { readonly kind: "fixed"; readonly width: FixedWidth }
  | { readonly kind: "bytes" }
  | { readonly kind: "list"; readonly child: Layout }
  | { readonly kind: "array"; readonly child: Layout; readonly length: number }
  | { readonly kind: "struct"; readonly children: readonly Layout[] }
  | { readonly kind: "union"; readonly children: readonly Layout[] }
  | { readonly kind: "null" }
  // Types without a form of their own in Arrow become text while they are copied.
  | { readonly kind: "enum"; readonly width: FixedWidth; readonly values: readonly string[] }
  | { readonly kind: "text"; readonly of: "uuid" | "timeTz" | "bit" | "bigNum" }
  | { readonly kind: "variant"; readonly type: DuckDBType };

const FIXED_WIDTHS: Readonly<Partial<Record<DuckDBTypeId, FixedWidth>>> = {
  [DuckDBTypeId.BOOLEAN]: 1,
  [DuckDBTypeId.TINYINT]: 1,
  [DuckDBTypeId.UTINYINT]: 1,
  [DuckDBTypeId.SMALLINT]: 2,
  [DuckDBTypeId.USMALLINT]: 2,
  [DuckDBTypeId.INTEGER]: 4,
  [DuckDBTypeId.UINTEGER]: 4,
  [DuckDBTypeId.FLOAT]: 4,
  [DuckDBTypeId.DATE]: 4,
  [DuckDBTypeId.BIGINT]: 8,
  [DuckDBTypeId.UBIGINT]: 8,
  [DuckDBTypeId.DOUBLE]: 8,
  [DuckDBTypeId.TIME]: 8,
  [DuckDBTypeId.TIME_NS]: 8,
  [DuckDBTypeId.TIMESTAMP]: 8,
  [DuckDBTypeId.TIMESTAMP_S]: 8,
  [DuckDBTypeId.TIMESTAMP_MS]: 8,
  [DuckDBTypeId.TIMESTAMP_NS]: 8,
  [DuckDBTypeId.TIMESTAMP_TZ]: 8,
  [DuckDBTypeId.HUGEINT]: 16,
  [DuckDBTypeId.UHUGEINT]: 16,
  [DuckDBTypeId.INTERVAL]: 16,
};

/** The layout of a type. Throws TYPE_UNSUPPORTED for types that only exist while a statement is bound. */
export function layoutOf(type: DuckDBType): Layout {
  const width = FIXED_WIDTHS[type.typeId];
  if (width !== undefined) return { kind: "fixed", width };
  switch (type.typeId) {
    case DuckDBTypeId.VARCHAR:
    case DuckDBTypeId.BLOB:
    case DuckDBTypeId.GEOMETRY:
      return { kind: "bytes" };
    case DuckDBTypeId.DECIMAL:
      return { kind: "fixed", width: decimalWidth((type as DuckDBDecimalType).width) };
    case DuckDBTypeId.ENUM:
      return enumLayout(type as DuckDBEnumType);
    case DuckDBTypeId.UUID:
      return { kind: "text", of: "uuid" };
    case DuckDBTypeId.TIME_TZ:
      return { kind: "text", of: "timeTz" };
    case DuckDBTypeId.BIT:
      return { kind: "text", of: "bit" };
    case DuckDBTypeId.BIGNUM:
      return { kind: "text", of: "bigNum" };
    case DuckDBTypeId.LIST:
      return { kind: "list", child: layoutOf((type as DuckDBListType).valueType) };
    case DuckDBTypeId.ARRAY: {
      const { valueType, length } = type as DuckDBArrayType;
      return { kind: "array", child: layoutOf(valueType), length };
    }
    case DuckDBTypeId.STRUCT:
      return { kind: "struct", children: (type as DuckDBStructType).entryTypes.map(layoutOf) };
    case DuckDBTypeId.MAP: {
      // A map lies as a list of structs of key and value.
      const { keyType, valueType } = type as DuckDBMapType;
      return { kind: "list", child: { kind: "struct", children: [layoutOf(keyType), layoutOf(valueType)] } };
    }
    case DuckDBTypeId.UNION:
      return { kind: "union", children: (type as DuckDBUnionType).memberTypes.map(layoutOf) };
    case DuckDBTypeId.VARIANT:
      return { kind: "variant", type };
    case DuckDBTypeId.SQLNULL:
      return { kind: "null" };
    default:
      throw new DriverError("TYPE_UNSUPPORTED", `a result can't carry the type ${typeText(type)}`, {
        metadata: { type: typeText(type) },
      });
  }
}

/** How many Arrow nodes a layout becomes: one, and those of its children. */
export function countNodes(layout: Layout): number {
  switch (layout.kind) {
    case "list":
    case "array":
      return 1 + countNodes(layout.child);
    case "struct":
    case "union":
      return layout.children.reduce((sum, child) => sum + countNodes(child), 1);
    default:
      return 1;
  }
}

/** Bytes of a decimal by its number of digits. */
export function decimalWidth(digits: number): FixedWidth {
  if (digits <= 4) return 2;
  if (digits <= 9) return 4;
  return digits <= 18 ? 8 : 16;
}

function enumLayout({ values, internalTypeId }: DuckDBEnumType): Layout {
  const width = internalTypeId === DuckDBTypeId.UTINYINT ? 1 : internalTypeId === DuckDBTypeId.USMALLINT ? 2 : 4;
  return { kind: "enum", width, values };
}
