/** The longest row of a text; DuckDB's own default is 2 MB. It passes over the last row of a file, without a word, where that is longer than its buffers. */
export const MAX_ROW_BYTES = 8 * 1024 * 1024;
