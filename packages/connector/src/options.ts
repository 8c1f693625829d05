/** One option of a kind: makes its validation, its form and its documentation. */
export interface OptionEntry {
  readonly type: "string" | "boolean" | "integer" | "stringList" | "stringMap";
  /** For people: meaning, units, default in words. */
  readonly doc: string;
  readonly default?: string;
  readonly example?: string;
  readonly choices?: readonly string[];
}

/** The options of a kind by name. */
export type OptionSchema = Readonly<Record<string, OptionEntry>>;
