import { type Slice, sliceBytes } from "./slice.ts";

export interface BatchLimits {
  readonly maxBytes: number;
  readonly maxRows: number;
}

/** Cuts chunks into batches under limits of bytes and rows; one row at least, however large. */
export class BatchCutter {
  readonly #limits: BatchLimits;
  readonly #slices: Slice[] = [];
  #bytes = 0;
  #rows = 0;

  constructor(limits: BatchLimits) {
    this.#limits = limits;
  }

  /** Whether there is enough for a full batch. */
  get full(): boolean {
    return this.#bytes >= this.#limits.maxBytes || this.#rows >= this.#limits.maxRows;
  }

  add(slice: Slice): void {
    this.#slices.push(slice);
    this.#bytes += sliceBytes(slice);
    this.#rows += slice.to - slice.from;
  }

  /** The next batch, from all that was added; empty if there is nothing. */
  take(): readonly Slice[] {
    const batch: Slice[] = [];
    let bytes = 0;
    let rows = 0;
    for (let slice = this.#slices[0]; slice; slice = this.#slices[0]) {
      const part = this.#cut(slice, this.#limits.maxBytes - bytes, this.#limits.maxRows - rows, batch.length === 0);
      if (!part) break;
      batch.push(part);
      bytes += sliceBytes(part);
      rows += part.to - part.from;
      if (part.to === slice.to) this.#slices.shift();
      else this.#slices[0] = { ...slice, from: part.to };
    }
    this.#bytes = this.#slices.reduce((sum, slice) => sum + sliceBytes(slice), 0);
    this.#rows -= rows;
    return batch;
  }

  /**
   * As many of a slice's first rows as fit. A slice is cut only if its batch would be empty without it: whole chunks are
   * cheaper to put together, and a batch may as well be a little smaller.
   */
  #cut(slice: Slice, bytes: number, rows: number, first: boolean): Slice | undefined {
    const count = slice.to - slice.from;
    if (count <= rows && sliceBytes(slice) <= bytes) return slice;
    if (!first) return undefined;
    let fits = 1;
    let tooMany = Math.min(count, rows) + 1;
    while (tooMany - fits > 1) {
      const middle = (fits + tooMany) >> 1;
      if (sliceBytes({ ...slice, to: slice.from + middle }) <= bytes) fits = middle;
      else tooMany = middle;
    }
    return { ...slice, to: slice.from + fits };
  }
}
