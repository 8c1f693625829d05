import { DuckDBVector } from "@duckdb/node-api";
import duckdb from "@duckdb/node-bindings";
import { timeTzText } from "../json/times.ts";
import { variantText } from "../json/variant.ts";
import type { Layout } from "./layout.ts";
import { type FixedPart, type FixedWidth, isValid, type ListPart, type Part, type UnionPart } from "./part.ts";
import { allRows, type Rows, readFixed, readValidity } from "./selection.ts";
import { readBytes } from "./strings.ts";
import { bigNumText, bitText, textPart, uuidText } from "./texts.ts";

/** Copies the columns of a chunk out of the engine's memory; the chunk isn't needed afterwards. */
export function readChunk(chunk: duckdb.DataChunk, layouts: readonly Layout[]): readonly Part[] {
  const rows = allRows(duckdb.data_chunk_get_size(chunk));
  return layouts.map((layout, column) => readVector(duckdb.data_chunk_get_vector(chunk, column), layout, rows));
}

/** Copies the wanted rows of a vector. The chunk that owns it must be alive: texts are read through its pointers. */
export function readVector(vector: duckdb.Vector, layout: Layout, rows: Rows): Part {
  switch (layout.kind) {
    case "fixed":
      return readFixedPart(vector, layout.width, rows);
    case "bytes":
      return readBytes(vector, rows);
    case "list":
      return readList(vector, layout.child, rows);
    case "array":
      return readArray(vector, layout, rows);
    case "struct": {
      const validity = readValidity(vector, rows);
      const children = layout.children.map((child, index) =>
        readVector(duckdb.struct_vector_get_child(vector, index), child, { ...rows, mask: validity }),
      );
      return { kind: "struct", count: rows.count, validity, children };
    }
    case "union":
      return readUnion(vector, layout.children, rows);
    case "null":
      return { kind: "null", count: rows.count, validity: undefined };
    case "enum": {
      const { width, values } = layout;
      const part = readFixedPart(vector, width, rows);
      const keys =
        width === 1
          ? part.data
          : new (width === 2 ? Uint16Array : Uint32Array)(part.data.buffer, part.data.byteOffset, rows.count);
      return textPart(part, (row) => values[keys[row] as number] ?? "");
    }
    case "text":
      return readText(vector, layout.of, rows);
    case "variant": {
      const items = DuckDBVector.create(vector, rows.physical, layout.type);
      const part: Part = { kind: "null", count: rows.count, validity: readValidity(vector, rows) };
      return textPart(part, (row) => variantText(items.getItem(rows.selection?.[row] ?? row)));
    }
  }
}

function readFixedPart(vector: duckdb.Vector, width: FixedWidth, rows: Rows): FixedPart {
  return {
    kind: "fixed",
    count: rows.count,
    width,
    validity: readValidity(vector, rows),
    data: readFixed(vector, width, rows),
  };
}

function readText(vector: duckdb.Vector, of: "uuid" | "timeTz" | "bit" | "bigNum", rows: Rows): Part {
  switch (of) {
    case "uuid": {
      const part = readFixedPart(vector, 16, rows);
      return textPart(part, (row) => uuidText(part.data, row));
    }
    case "timeTz": {
      const part = readFixedPart(vector, 8, rows);
      const values = new BigUint64Array(part.data.buffer, part.data.byteOffset, rows.count);
      return textPart(part, (row) => timeTzText(values[row] as bigint));
    }
    case "bit": {
      const part = readBytes(vector, rows);
      return textPart(part, (row) => bitText(part, row));
    }
    case "bigNum": {
      const part = readBytes(vector, rows);
      return textPart(part, (row) => bigNumText(part, row));
    }
  }
}

/** Lists lie as pairs of 64-bit offset and length into the child; nearly always one behind the other, but not of necessity. */
function readList(vector: duckdb.Vector, childLayout: Layout, rows: Rows): ListPart {
  const { count } = rows;
  const validity = readValidity(vector, rows);
  const data = readFixed(vector, 16, rows);
  const entries = new Uint32Array(data.buffer, data.byteOffset, count * 4);
  const offsets = new Int32Array(count + 1);
  let ordered = true;
  for (let row = 0; row < count; row++) {
    const start = offsets[row] as number;
    const length = isValid(validity, row) ? (entries[row * 4 + 2] as number) : 0;
    ordered &&= length === 0 || entries[row * 4] === start;
    offsets[row + 1] = start + length;
  }
  const total = offsets[count] as number;
  const childRows = ordered ? allRows(total) : selectItems(entries, offsets, duckdb.list_vector_get_size(vector));
  const child = readVector(duckdb.list_vector_get_child(vector), childLayout, childRows);
  return { kind: "list", count, validity, offsets, child };
}

function selectItems(entries: Uint32Array, offsets: Int32Array, physical: number): Rows {
  const count = offsets.at(-1) ?? 0;
  const selection = new Int32Array(count);
  for (let row = 0; row < offsets.length - 1; row++) {
    const to = offsets[row] as number;
    const length = (offsets[row + 1] as number) - to;
    for (let item = 0; item < length; item++) selection[to + item] = (entries[row * 4] as number) + item;
  }
  return { physical, count, selection, mask: undefined };
}

function readArray(
  vector: duckdb.Vector,
  layout: { readonly child: Layout; readonly length: number },
  rows: Rows,
): Part {
  const { length } = layout;
  const validity = readValidity(vector, rows);
  const count = rows.count * length;
  const childRows: Rows = {
    physical: rows.physical * length,
    count,
    selection:
      rows.selection &&
      Int32Array.from({ length: count }, (_, item) => childPlace(rows.selection as Int32Array, item, length)),
    mask: validity && repeatBits(validity, rows.count, length),
  };
  const child = readVector(duckdb.array_vector_get_child(vector), layout.child, childRows);
  return { kind: "array", count: rows.count, validity, length, child };
}

function childPlace(selection: Int32Array, item: number, length: number): number {
  return (selection[Math.floor(item / length)] as number) * length + (item % length);
}

function repeatBits(bits: Uint8Array, count: number, times: number): Uint8Array {
  const repeated = new Uint8Array((count * times + 7) >> 3);
  for (let item = 0; item < count * times; item++) {
    if (isValid(bits, Math.floor(item / times))) repeated[item >> 3] = (repeated[item >> 3] ?? 0) | (1 << (item & 7));
  }
  return repeated;
}

/** A union lies as a struct of the tag and of every member. */
function readUnion(vector: duckdb.Vector, members: readonly Layout[], rows: Rows): UnionPart {
  const { count } = rows;
  const validity = readValidity(vector, rows);
  const tags = readFixed(duckdb.struct_vector_get_child(vector, 0), 1, rows);
  const children = members.map((member, index) => {
    const mask = new Uint8Array((count + 7) >> 3);
    for (let row = 0; row < count; row++) {
      if (tags[row] === index && isValid(validity, row)) mask[row >> 3] = (mask[row >> 3] ?? 0) | (1 << (row & 7));
    }
    return readVector(duckdb.struct_vector_get_child(vector, index + 1), member, { ...rows, mask });
  });
  return { kind: "union", count, validity, tags: validity ? maskTags(tags, validity) : tags, children };
}

/** What stands in the tag of a NULL is unknown; 0 is a member always. */
function maskTags(tags: Uint8Array, validity: Uint8Array): Uint8Array {
  return tags.map((tag, row) => (isValid(validity, row) ? tag : 0));
}
