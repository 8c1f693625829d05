import type { Column } from "../../../engine/types.ts";

/** How the columns of a dataset take values that come from outside. */
export interface RowShape {
  readonly columns: readonly RowColumn[];
  /** The number of the first row within its append, from 1: for errors. */
  readonly firstRow: number;
}

export interface RowColumn {
  readonly name: string;
  readonly type: string;
  /** How its text travels to the engine, where that is not as it is. */
  readonly encoding?: "hex" | "json";
  /** Digits after the point, for decimals. */
  readonly scale?: number;
  /** Which texts the engine's own cast takes without losing anything of them, as far as they are told here. */
  readonly sure: Sure;
}

/** The form of texts about which nothing has to be asked. */
export type Sure = "any" | "integer" | "number" | "boolean" | "decimal" | "date" | "timestamp" | "none";

const SURE: Readonly<Record<string, Sure>> = {
  VARCHAR: "any",
  TINYINT: "integer",
  SMALLINT: "integer",
  INTEGER: "integer",
  BIGINT: "integer",
  UTINYINT: "integer",
  USMALLINT: "integer",
  UINTEGER: "integer",
  UBIGINT: "integer",
  FLOAT: "number",
  DOUBLE: "number",
  BOOLEAN: "boolean",
  DATE: "date",
  TIMESTAMP: "timestamp",
};

export function rowColumn({ name, type, kind }: Column): RowColumn {
  if (kind === "binary") return { name, type, encoding: "hex", sure: "none" };
  if (kind === "nested") return { name, type, encoding: "json", sure: "none" };
  const scale = /^DECIMAL\(\d+,\s*(\d+)\)$/.exec(type)?.[1];
  if (scale !== undefined) return { name, type, scale: Number(scale), sure: "decimal" };
  return { name, type, sure: SURE[type] ?? "none" };
}
