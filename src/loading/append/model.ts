import type { Whose } from "../../operations/owner.ts";
import type { RowFormat } from "../worker/append/protocol.ts";

/** What an append says before its rows. */
export interface AppendRequest {
  readonly dataset: string;
  /** Chosen by the client: the same rows in another stream go on under it. */
  readonly id: string;
  readonly format: RowFormat;
  /** The columns of rows that are JSON arrays. */
  readonly names: readonly string[];
  /** How many rows of this append come before the first one of this stream. */
  readonly offset: number;
  /** The columns of a dataset that is made if there is none. */
  readonly create: readonly NewColumn[];
  /** Of the operation, and of a dataset that is made. */
  readonly labels: Readonly<Record<string, string>>;
  readonly requestedBy: string;
  readonly whose?: Whose | undefined;
}

export interface NewColumn {
  readonly name: string;
  /** As clients write types. */
  readonly type: string;
}

/** A piece of an append's stream. A stream that ends without `end` was cut. */
export type AppendPart = { readonly type: "rows"; readonly bytes: Uint8Array } | { readonly type: "end" };

/** How far an append has come. */
export interface AppendStatus {
  readonly id: string;
  readonly dataset: string;
  /** How many of its rows are in the dataset for good. */
  readonly rows: number;
  /** The dataset's current version; 0: there is no dataset. */
  readonly version: number;
}

/** Rows that applications send, as new versions of a dataset. */
export interface AppendService extends AsyncDisposable {
  /**
   * Takes a stream of rows. Those that have come are in a new version within a second, each flush wholly or not at
   * all; the end waits for the last of them. Another stream with the same id ends this one. Errors carry `durableRows`, from
   * which another stream may go on. Throws APPEND_OUT_OF_STEP, DATASET_NOT_FOUND, MALFORMED_ROWS, MALFORMED_ARROW,
   * UNKNOWN_COLUMN, LOAD_TYPE_MISMATCH, QUOTA_EXCEEDED, DISK_FULL, NOT_SERVING.
   */
  append(
    request: AppendRequest,
    parts: AsyncIterable<AppendPart>,
    options: { readonly signal: AbortSignal; readonly onOperation?: (id: string) => void },
  ): Promise<AppendStatus>;
  /** How far an append has come, in whatever driver process; no rows for one that is not known. Throws DATASET_NOT_FOUND. */
  status(dataset: string, id: string, whose?: Whose): Promise<AppendStatus>;
  /** Ends all streams once what they have sent is in, so that they go on at the next driver. */
  stop(): void;
}
