import {
  type DuckDBArrayType,
  type DuckDBListType,
  type DuckDBMapType,
  type DuckDBStructType,
  type DuckDBType,
  DuckDBTypeId,
  type DuckDBUnionType,
} from "@duckdb/node-api";
import { BufferRegion, FieldNode, Message, RecordBatch } from "apache-arrow/ipc/metadata/message";
import type { Slice } from "../results/slice.ts";
import {
  type ArrayPart,
  at,
  type BytesPart,
  type FixedPart,
  type ListPart,
  type Part,
  type StructPart,
  type UnionPart,
} from "../vectors/part.ts";
import { copyBits, countZeros, fillBits } from "./bitmap.ts";
import { encapsulate, padded } from "./framing.ts";
import { fixedWriter } from "./widen.ts";

/** Rows of one part. */
export interface Range<P extends Part = Part> {
  readonly part: P;
  readonly from: number;
  readonly to: number;
}

/** A buffer that is written when the place of all buffers is known. */
interface PendingBuffer {
  readonly length: number;
  write(target: Uint8Array): void;
}

const NOTHING: PendingBuffer = { length: 0, write: () => undefined };

/** The rows of all slices as one encapsulated record batch message. */
export function encodeRecordBatch(slices: readonly Slice[], types: readonly DuckDBType[]): Uint8Array {
  const encoder = new Encoder();
  types.forEach((type, column) => {
    encoder.column(
      type,
      slices.map(({ columns, from, to }) => ({ part: columns[column] as Part, from, to })),
    );
  });
  return encoder.finish(slices.reduce((sum, { from, to }) => sum + to - from, 0));
}

/** Collects nodes and buffers depth first, as the format wants them. */
class Encoder {
  readonly #nodes: FieldNode[] = [];
  readonly #buffers: PendingBuffer[] = [];

  column(type: DuckDBType, ranges: readonly Range[]): void {
    const rows = countRows(ranges);
    const kind = ranges[0]?.part.kind ?? "null";
    // The parts of a column have one layout, hence one kind.
    switch (kind) {
      case "fixed":
        this.#open(rows, ranges);
        this.#buffers.push(fixedWriter(type, ranges as Range<FixedPart>[], rows));
        return;
      case "bytes":
        this.#open(rows, ranges);
        this.#bytes(ranges as Range<BytesPart>[], rows);
        return;
      case "list":
        this.#open(rows, ranges);
        this.#list(type, ranges as Range<ListPart>[], rows);
        return;
      case "array":
        this.#open(rows, ranges);
        this.column(childType(type), (ranges as Range<ArrayPart>[]).map(arrayItems));
        return;
      case "struct":
        this.#open(rows, ranges);
        this.#children(type, ranges as Range<StructPart>[]);
        return;
      case "union":
        // A union has no bitmap: a NULL is one of its first member.
        this.#nodes.push(new FieldNode(rows, 0));
        this.#buffers.push(tags(ranges as Range<UnionPart>[], rows));
        this.#children(type, ranges as Range<UnionPart>[]);
        return;
      case "null":
        this.#nodes.push(new FieldNode(rows, rows));
        return;
    }
  }

  finish(rows: number): Uint8Array {
    const regions: BufferRegion[] = [];
    let bodyLength = 0;
    for (const { length } of this.#buffers) {
      regions.push(new BufferRegion(bodyLength, length));
      bodyLength += padded(length);
    }
    const metadata = Message.encode(Message.from(new RecordBatch(rows, this.#nodes, regions, null), bodyLength));
    return encapsulate(metadata, bodyLength, (body) => {
      this.#buffers.forEach(({ length, write }, index) => {
        const { offset } = regions[index] as BufferRegion;
        if (length > 0) write(body.subarray(offset, offset + length));
      });
    });
  }

  /** The field's node and its bitmap, which is left out when nothing is NULL. */
  #open(rows: number, ranges: readonly Range[]): void {
    const nulls = ranges.reduce(
      (sum, { part, from, to }) => sum + (part.validity ? countZeros(part.validity, from, to - from) : 0),
      0,
    );
    this.#nodes.push(new FieldNode(rows, nulls));
    this.#buffers.push(nulls === 0 ? NOTHING : bitmap(ranges, rows));
  }

  #bytes(ranges: readonly Range<BytesPart>[], rows: number): void {
    const length = ranges.reduce((sum, { part, from, to }) => sum + at(part.offsets, to) - at(part.offsets, from), 0);
    this.#buffers.push(offsets(ranges, rows), {
      length,
      write(target) {
        let position = 0;
        for (const { part, from, to } of ranges) {
          const start = at(part.offsets, from);
          const end = at(part.offsets, to);
          target.set(part.bytes.subarray(start, end), position);
          position += end - start;
        }
      },
    });
  }

  #list(type: DuckDBType, ranges: readonly Range<ListPart>[], rows: number): void {
    this.#buffers.push(offsets(ranges, rows));
    const items = ranges.map(({ part, from, to }) => ({
      part: part.child,
      from: at(part.offsets, from),
      to: at(part.offsets, to),
    }));
    if (type.typeId !== DuckDBTypeId.MAP) {
      this.column(childType(type), items);
      return;
    }
    const { keyType, valueType } = type as DuckDBMapType;
    this.#open(countRows(items), items);
    this.#members([keyType, valueType], items as Range<StructPart>[]);
  }

  #children(type: DuckDBType, ranges: readonly Range<StructPart | UnionPart>[]): void {
    this.#members(memberTypes(type), ranges);
  }

  #members(types: readonly DuckDBType[], ranges: readonly Range<StructPart | UnionPart>[]): void {
    types.forEach((type, index) => {
      this.column(
        type,
        ranges.map(({ part, from, to }) => ({ part: part.children[index] as Part, from, to })),
      );
    });
  }
}

function countRows(ranges: readonly Range[]): number {
  return ranges.reduce((sum, { from, to }) => sum + to - from, 0);
}

function arrayItems({ part, from, to }: Range<ArrayPart>): Range {
  return { part: part.child, from: from * part.length, to: to * part.length };
}

function bitmap(ranges: readonly Range[], rows: number): PendingBuffer {
  return {
    length: (rows + 7) >> 3,
    write(target) {
      let row = 0;
      for (const { part, from, to } of ranges) {
        if (part.validity) copyBits(part.validity, from, target, row, to - from);
        else fillBits(target, row, to - from);
        row += to - from;
      }
    },
  };
}

function offsets(ranges: readonly Range<BytesPart | ListPart>[], rows: number): PendingBuffer {
  return {
    length: (rows + 1) * 4,
    write(target) {
      // Message bodies start at a multiple of 8 in a buffer of their own.
      const values = new Int32Array(target.buffer, target.byteOffset, rows + 1);
      let row = 0;
      let total = 0;
      for (const { part, from, to } of ranges) {
        const shift = total - at(part.offsets, from);
        for (let index = from + 1; index <= to; index++) values[++row] = at(part.offsets, index) + shift;
        total = at(part.offsets, to) + shift;
      }
    },
  };
}

function tags(ranges: readonly Range<UnionPart>[], rows: number): PendingBuffer {
  return {
    length: rows,
    write(target) {
      let row = 0;
      for (const { part, from, to } of ranges) {
        target.set(part.tags.subarray(from, to), row);
        row += to - from;
      }
    },
  };
}

function childType(type: DuckDBType): DuckDBType {
  return (type as DuckDBListType | DuckDBArrayType).valueType;
}

function memberTypes(type: DuckDBType): readonly DuckDBType[] {
  return type.typeId === DuckDBTypeId.UNION
    ? (type as DuckDBUnionType).memberTypes
    : (type as DuckDBStructType).entryTypes;
}
