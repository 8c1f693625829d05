import type * as api from "@drover/connector";
import { declaredType } from "../../engine/declared-type.ts";
import type { ScanColumn } from "../../engine/file-scan.ts";
import type { SourcePlan } from "../connector.ts";

/** A plan as the worker takes it. Throws where it is none: its text becomes part of statements. */
export function checkedPlan({ columns, partitions, shared, ...rest }: api.SourcePlan): SourcePlan {
  if (!Array.isArray(partitions) || !partitions.every(isObject))
    throw new TypeError("its plan's partitions are no list");
  const { totalBytes = 0, estimatedRows, warnings = [] } = rest;
  return {
    columns: columns && columnsOf(columns),
    partitions,
    ...(shared !== undefined && { shared }),
    totalBytes: Number(totalBytes),
    ...(estimatedRows !== undefined && { estimatedRows: Number(estimatedRows) }),
    warnings: [...warnings].map(String),
  };
}

/** Columns with all that the engine has to know of them. */
export function columnsOf(columns: readonly api.SourceColumn[]): readonly ScanColumn[] {
  const names = new Set<string>();
  for (const { name } of columns) {
    if (typeof name !== "string" || name === "") throw new TypeError("a column of its plan has no name");
    if (names.has(name)) throw new TypeError(`its plan has the column ${JSON.stringify(name)} twice`);
    names.add(name);
  }
  if (names.size === 0) throw new TypeError("its plan has no columns");
  return columns.map(({ name, sourceName = name, type, origin = "exact", encoding }) => ({
    ...{ name, sourceName, origin },
    type: typeOf(name, type),
    ...(encoding !== undefined && { encoding }),
  }));
}

const MORE_TYPES = new Set(["BLOB", "JSON", "INTERVAL"]);

function typeOf(column: string, type: unknown): string {
  const text = String(type).trim().toUpperCase();
  const lists = /(?:\[\])*$/.exec(text)?.[0] ?? "";
  const inner = text.slice(0, text.length - lists.length);
  const known = MORE_TYPES.has(inner) ? inner : declaredType(inner);
  if (known === undefined)
    throw new TypeError(
      `column ${JSON.stringify(column)} of its plan has the type ${JSON.stringify(type)}, which is none`,
    );
  return known + lists;
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}
