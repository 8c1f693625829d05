import type { Column } from "../../engine/types.ts";
import type { OperationProgress } from "../../operations/model.ts";
import type { Filter, Question } from "../model.ts";
import type { CallOptions } from "../service.ts";

export type ExportFormat = "csv" | "tsv" | "json" | "jsonl" | "xml" | "parquet" | "arrow";
export type Compression = "none" | "gzip" | "zstd";

/** How rows are written; what is left out is as the format usually is. */
export interface ExportLayout {
  readonly format: ExportFormat;
  /** For Parquet inside of the file. Default: none, for Parquet zstd. */
  readonly compression?: Compression;
  /** Of csv and tsv: whether the first line holds the names. Default: yes. */
  readonly header?: boolean;
  /** Of csv and tsv: one character. Default: a comma, a tab. */
  readonly delimiter?: string;
  /** Of csv and tsv: what stands for NULL, without quotes. Default: nothing. */
  readonly nullText?: string;
  /** Of xml. Default: `rows`. */
  readonly root?: string;
  /** Of xml. Default: `row`. */
  readonly record?: string;
}

/** What is exported: rows of one version as they are stored, or the answer to a question. */
export type ExportSubject =
  | {
      readonly kind: "dataset";
      readonly dataset: string;
      /** 0 for the current one. */
      readonly version: number;
      /** Empty for all. */
      readonly columns: readonly string[];
      readonly filter?: Filter;
      /** 0: no limit. */
      readonly limit: number;
    }
  | { readonly kind: "question"; readonly question: Question };

export interface ExportRequest {
  readonly subject: ExportSubject;
  readonly layout: ExportLayout;
  /** Chosen by the client; made when left out. */
  readonly operationId?: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** One event in the life of an export, in this order: accepted, progress, begun, data, completed. */
export type ExportEvent =
  | { readonly type: "accepted"; readonly operationId: string }
  | { readonly type: "progress"; readonly progress: OperationProgress }
  | { readonly type: "begun"; readonly columns: readonly Column[] }
  | { readonly type: "data"; readonly data: Uint8Array }
  | { readonly type: "completed"; readonly completion: ExportCompletion };

/** What an export that succeeded has given. */
export interface ExportCompletion {
  readonly rows: number;
  readonly bytes: number;
  /** The versions that were read, by dataset. */
  readonly versions: Readonly<Record<string, number>>;
}

/** Writes datasets and answers in formats of files. */
export interface ExportService {
  /** Runs an export as an operation, in the batch lane. Leaving the loop cancels it and waits for its end. Throws INVALID_REQUEST. */
  run(request: ExportRequest, options: CallOptions): AsyncIterable<ExportEvent>;
}
