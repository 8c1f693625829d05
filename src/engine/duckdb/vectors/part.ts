/**
 * One column of one chunk, copied out of the engine's memory. Values that have a width lie as the engine had them; text and
 * bytes lie as Arrow wants them. All rows count from 0. A bit of `validity` is 1 where there is a value; no bitmap, no NULL.
 */
export type Part = FixedPart | BytesPart | ListPart | ArrayPart | StructPart | UnionPart | NullPart;

interface PartBase {
  readonly count: number;
  readonly validity: Uint8Array | undefined;
}

export interface FixedPart extends PartBase {
  readonly kind: "fixed";
  /** Bytes of a value. */
  readonly width: FixedWidth;
  readonly data: Uint8Array<ArrayBuffer>;
}

export interface BytesPart extends PartBase {
  readonly kind: "bytes";
  /** `count + 1` offsets into `bytes`. */
  readonly offsets: Int32Array;
  readonly bytes: Uint8Array;
}

export interface ListPart extends PartBase {
  readonly kind: "list";
  /** `count + 1` offsets into `child`. */
  readonly offsets: Int32Array;
  readonly child: Part;
}

export interface ArrayPart extends PartBase {
  readonly kind: "array";
  readonly length: number;
  readonly child: Part;
}

export interface StructPart extends PartBase {
  readonly kind: "struct";
  readonly children: readonly Part[];
}

/** Row `i` is the value of `children[tags[i]]`; the other children are NULL there, all of them where the union is. */
export interface UnionPart extends PartBase {
  readonly kind: "union";
  readonly tags: Uint8Array;
  readonly children: readonly Part[];
}

export interface NullPart extends PartBase {
  readonly kind: "null";
}

export type FixedWidth = 1 | 2 | 4 | 8 | 16;

export function isValid(validity: Uint8Array | undefined, row: number): boolean {
  return validity === undefined || (((validity[row >> 3] ?? 0) >> (row & 7)) & 1) === 1;
}

/** Bytes that rows `from` to `to` take in Arrow, near enough to cut batches by. */
export function partBytes(part: Part, from: number, to: number): number {
  const rows = to - from;
  const bitmap = part.validity ? rows / 8 : 0;
  switch (part.kind) {
    case "fixed":
      return bitmap + rows * part.width;
    case "bytes":
      return bitmap + rows * 4 + at(part.offsets, to) - at(part.offsets, from);
    case "list":
      return bitmap + rows * 4 + partBytes(part.child, at(part.offsets, from), at(part.offsets, to));
    case "array":
      return bitmap + partBytes(part.child, from * part.length, to * part.length);
    case "struct":
      return bitmap + part.children.reduce((sum, child) => sum + partBytes(child, from, to), 0);
    case "union":
      return bitmap + part.children.reduce((sum, child) => sum + partBytes(child, from, to), rows);
    case "null":
      return 0;
  }
}

/** An element that is known to be there. */
export function at(values: Int32Array, index: number): number {
  return values[index] as number;
}
