/** What becomes of one of a database's types; docs/source-types.md is made of these. */
export interface SourceTypeRow {
  readonly source: string;
  /** The column's type in the dataset. */
  readonly column: string;
  /** How it stays whole, or what is worth knowing. */
  readonly note: string;
}

/** A database with its types. */
export interface SourceTypes {
  readonly name: string;
  readonly rows: readonly SourceTypeRow[];
  /** What is true of all of them, in sentences. */
  readonly notes: readonly string[];
}
