import type { Row as WireRow } from "./gen/drover/v1/types_pb.js";
import type { Column } from "./model.ts";
import { type Decoder, decoderOf, type IntegerMode, type ResultValue } from "./values.ts";

/** A row by the names of its columns. */
export type Row = Readonly<Record<string, ResultValue>>;

/** Some rows of a result with their columns. */
export class Rows {
  readonly columns: readonly Column[];
  /** The rows as arrays, in the order of the columns. */
  readonly values: readonly (readonly ResultValue[])[];

  constructor(columns: readonly Column[], values: readonly (readonly ResultValue[])[]) {
    this.columns = columns;
    this.values = values;
  }

  /** The rows as objects, made anew at each call. */
  get rows(): Row[] {
    const names = this.columns.map((column) => column.name);
    // `object["__proto__"] = value` sets the prototype instead of a property.
    const make = names.includes("__proto__") ? fromEntries : byAssignment;
    return this.values.map((values) => make(names, values));
  }
}

function byAssignment(names: readonly string[], values: readonly ResultValue[]): Row {
  const row: Record<string, ResultValue> = {};
  for (let index = 0; index < names.length; index++) row[names[index] ?? ""] = values[index] ?? null;
  return row;
}

function fromEntries(names: readonly string[], values: readonly ResultValue[]): Row {
  return Object.fromEntries(names.map((name, index) => [name, values[index] ?? null]));
}

/** Decodes the rows of one set of columns. */
export function rowDecoder(columns: readonly Column[], integers: IntegerMode) {
  const decoders: readonly Decoder[] = columns.map((column) => decoderOf(column, integers));
  return (rows: readonly WireRow[]): ResultValue[][] =>
    rows.map((row) => row.values.map((value, index) => decoders[index]?.(value) ?? null));
}
