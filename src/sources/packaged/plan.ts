import type * as api from "@drover/connector";
import { declaredType } from "../../engine/declared-type.ts";
import type { ScanColumn } from "../../engine/file-scan.ts";
import type { SourcePlan } from "../connector.ts";
import { boundedTexts, countOf, requireData } from "./bounds.ts";

/** A plan as the worker takes it. Throws where it is none: its text becomes part of statements. */
export function checkedPlan(told: api.SourcePlan): SourcePlan {
  if (!isObject(told)) throw new TypeError("its plan is no object");
  const { columns, partitions, shared, totalBytes, estimatedRows, warnings = [] } = told;
  if (!Array.isArray(partitions) || !partitions.every(isObject))
    throw new TypeError("its plan's partitions are no list");
  requireData("its plan", { partitions, shared });
  const rows = estimatedRows === undefined ? undefined : countOf(estimatedRows);
  return {
    columns: columns && columnsOf(columns),
    partitions,
    ...(shared !== undefined && { shared }),
    totalBytes: countOf(totalBytes) ?? 0,
    ...(rows !== undefined && { estimatedRows: rows }),
    warnings: boundedTexts(warnings),
  };
}

/** Columns with all that the engine has to know of them. */
export function columnsOf(columns: readonly api.SourceColumn[]): readonly ScanColumn[] {
  if (!Array.isArray(columns)) throw new TypeError("the columns of its plan are no list");
  const names = new Set<string>();
  for (const { name, origin = "exact", encoding = "hex" } of columns) {
    if (typeof name !== "string" || name.trim() === "") throw new TypeError("a column of its plan has no name");
    if (name.includes("\0") || !name.isWellFormed())
      throw new TypeError(`its plan has a column whose name is no text: ${JSON.stringify(name)}`);
    // SQL does not tell their case apart.
    if (names.has(name.toLowerCase())) throw new TypeError(`its plan has the column ${JSON.stringify(name)} twice`);
    if (!ORIGINS.has(origin)) throw new TypeError(`column ${JSON.stringify(name)} of its plan has no such origin`);
    if (!ENCODINGS.has(encoding))
      throw new TypeError(`column ${JSON.stringify(name)} of its plan has no such encoding`);
    names.add(name.toLowerCase());
  }
  if (names.size === 0) throw new TypeError("its plan has no columns");
  const found = columns.map(({ name, sourceName = name, type, origin = "exact", encoding }) => ({
    ...{ name, sourceName: String(sourceName), origin },
    type: typeOf(name, type),
    ...(encoding !== undefined && { encoding }),
  }));
  requireData("the list of columns in its plan", found);
  return found;
}

const ORIGINS: ReadonlySet<unknown> = new Set(["declared", "inferred", "exact"]);
const ENCODINGS: ReadonlySet<unknown> = new Set(["hex", "json", "list"]);
const MORE_TYPES = new Set(["BLOB", "JSON", "INTERVAL"]);

/** A column's type as the engine writes it. Throws where it is none. */
export function typeOf(column: string, type: unknown): string {
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
