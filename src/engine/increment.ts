import type { WriteOptions } from "./engine.ts";
import type { SegmentInfo } from "./file-scan.ts";
import type { Column } from "./types.ts";

/** How a refresh tells the rows that are new at the source. */
export interface IncrementRule {
  /** A column that grows: the time of a row's last change, or a number that counts up. */
  readonly watermark: string;
  /** How far before the greatest value seen rows are read again, for those that came late. Default: only that value. */
  readonly overlap?: Overlap;
  /** Rows with the same values here are the same row: the new one replaces the old one. Without any, the whole window is replaced. */
  readonly keys: readonly string[];
}

/** A time for watermarks that are dates or times, a number for numbers. */
export type Overlap = { readonly ms: number } | { readonly amount: number };

/** Stored segments of one version, and their columns. */
export interface StoredRows {
  readonly columns: readonly Column[];
  readonly segments: readonly SegmentInfo[];
  /** Absolute, in the order of the segments. */
  readonly paths: readonly string[];
}

/** The rows that a refresh has read, and where they belong. */
export interface Increment {
  readonly rule: IncrementRule;
  /** The window's lower bound, as `startOfIncrement` has given it. */
  readonly from: string;
  readonly base: StoredRows;
  /** Lie in the folder that is written to. */
  readonly fresh: StoredRows;
}

/** What the rows of both come to. */
export type MergedIncrement =
  /** The source holds what the version holds. */
  | { readonly changed: false }
  | {
      readonly changed: true;
      /** Segments of the base that stay as they are. */
      readonly kept: readonly SegmentInfo[];
      /** Segments in the folder that is written to, those of the increment included. */
      readonly written: readonly SegmentInfo[];
      /** Rows of the base that are not in the result. */
      readonly replacedRows: number;
    };

/** Puts increments and versions together. */
export interface IncrementEngine {
  /**
   * Where a window begins, as text that the engine reads as the watermark's type: the greatest value of the version less the
   * overlap. Undefined where there is no value yet, or none that far before it: then everything is new.
   */
  startOfIncrement(
    rule: IncrementRule,
    base: StoredRows,
    options: { signal: AbortSignal },
  ): Promise<string | undefined>;
  /** Throws DUPLICATE_KEY where the increment has a key twice. */
  mergeIncrement(increment: Increment, options: WriteOptions): Promise<MergedIncrement>;
}
