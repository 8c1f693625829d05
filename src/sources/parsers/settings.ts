/** What value parsers in JavaScript may be. */
export interface ParserSettings {
  /** Absolute paths of modules whose exported functions are parsers. */
  readonly modules: readonly string[];
  /** The same of a library set's packages. */
  readonly packages?: readonly string[];
  /** How long a batch of texts may take one of them. */
  readonly timeoutMs: number;
}
