/** A column of a source. */
export interface SourceColumn {
  /** Unique name that the dataset will show; case makes no difference. */
  readonly name: string;
  /** Its place or key in files: the header's text for CSV, the key for JSON, the column's name for Parquet. Default: `name`. */
  readonly sourceName?: string;
  /** `BIGINT`, `DECIMAL(18,3)`, `TIMESTAMP WITH TIME ZONE`, `VARCHAR[]`: docs/types.md. */
  readonly type: string;
  /**
   * Where the type comes from. `exact`: it is the source's own, and its texts are the values'. `declared`: somebody asked for it, and
   * a value that does not fit is an error. `inferred`: it may be widened. Default: `exact`.
   */
  readonly origin?: "declared" | "inferred" | "exact";
  /**
   * How a column's text stands for its value, where it is not what a cast takes: hexadecimal bytes (what a `Uint8Array` becomes),
   * JSON for lists and structs, or a list, which is JSON after the character U+0001, and the only item's text without it. Not for
   * inferred columns.
   */
  readonly encoding?: "hex" | "json" | "list";
}

/** What a partition holds, as the engine takes it. */
export type PartitionContent =
  /** Files for the engine's own readers. */
  | { readonly form: "files"; readonly scan: FileScan }
  /**
   * CSV in the exchange dialect: commas, quotes doubled, lines end with \n, no header, NULL an empty field without quotes, one field
   * for each of the plan's columns. Chunks may end anywhere.
   */
  | { readonly form: "text"; readonly chunks: AsyncIterable<Uint8Array> }
  /** Values, for connectors that get rows. */
  | { readonly form: "batches"; readonly batches: AsyncIterable<ColumnBatch> };

/** Some rows, column by column, in the order of the plan's columns. A few thousand at once are a good measure. */
export interface ColumnBatch {
  readonly rows: number;
  readonly columns: readonly (readonly SourceValue[])[];
}

/** A value on its way into the exchange dialect: text is written as it is, for the engine to cast; bytes as hexadecimal digits. */
export type SourceValue = null | string | number | bigint | boolean | Uint8Array;

/** Files that the engine reads by itself, with all its threads. */
export interface FileScan {
  readonly kind: "csv" | "json" | "parquet";
  /**
   * Absolute paths in reading order, of the source's files or in the session's folder; none for no rows. Compression is told by the
   * ending (.gz, .zst).
   */
  readonly paths: readonly string[];
  readonly csv?: CsvLayout;
  readonly json?: JsonLayout;
  /** The columns with their types; left out, the engine finds them. */
  readonly columns?: readonly SourceColumn[];
  /** Types of some columns by name, where the engine finds the columns. */
  readonly declaredTypes?: Readonly<Record<string, string>>;
  /** Keep only these, in this order; all when left out. */
  readonly keep?: readonly string[];
}

/** How text is split into columns; what is left out, the engine finds. */
export interface CsvLayout {
  readonly delimiter?: string;
  readonly quote?: string;
  readonly escape?: string;
  readonly header?: boolean;
  readonly nullStrings?: readonly string[];
  /** In strptime's letters. */
  readonly dateFormat?: string;
  readonly timestampFormat?: string;
  readonly decimalSeparator?: "." | ",";
  readonly skipLines?: number;
  readonly comment?: string;
}

export interface JsonLayout {
  /** `auto` finds it from the first byte that is no space. */
  readonly layout: "auto" | "array" | "newline";
  readonly dateFormat?: string;
  readonly timestampFormat?: string;
}
