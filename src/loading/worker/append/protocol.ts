import type { SegmentInfo, SegmentLimits, WrittenSegments } from "../../../engine/file-scan.ts";
import type { Column } from "../../../engine/types.ts";

/** How rows of an append travel: JSON texts, one row to a line, or messages of an Arrow IPC stream. */
export type RowFormat = "json" | "arrow";

/** Rows to be written as segments of a dataset. */
export interface WriteRows {
  readonly path: string;
  readonly format: RowFormat;
  /** The dataset's. */
  readonly columns: readonly Column[];
  /** The columns of rows that are JSON arrays. */
  readonly names: readonly string[];
  /** The number of the first row within its append, from 1. */
  readonly firstRow: number;
  readonly directory: string;
  readonly prefix: string;
  readonly limits: SegmentLimits;
  readonly threads: number;
}

/** Segments of one version that become fewer, with the same rows. */
export interface MergeSegments {
  readonly paths: readonly string[];
  readonly segments: readonly SegmentInfo[];
  readonly columns: readonly Column[];
  readonly directory: string;
  readonly prefix: string;
  readonly limits: SegmentLimits;
  readonly threads: number;
}

/** Calls that an append and the merging of what it leaves make. */
export interface AppendCalls {
  /** Throws MALFORMED_ROWS, MALFORMED_ARROW, UNKNOWN_COLUMN, LOAD_TYPE_MISMATCH, each with the row. */
  writeRows: { readonly params: WriteRows; readonly result: WrittenSegments };
  mergeSegments: { readonly params: MergeSegments; readonly result: WrittenSegments };
}
