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
}

export function rowColumn({ name, type, kind }: Column): RowColumn {
  if (kind === "binary") return { name, type, encoding: "hex" };
  if (kind === "nested") return { name, type, encoding: "json" };
  const scale = /^DECIMAL\(\d+,\s*(\d+)\)$/.exec(type)?.[1];
  return scale === undefined ? { name, type } : { name, type, scale: Number(scale) };
}
