/** A value (an attribute, the text of an element) may have so many characters: a limit of memory, far above what columns hold. */
export const MAX_VALUE_LENGTH = 4 * 1024 * 1024;
/** Bytes of a record as it travels to the engine, whose own limit of a line is 8 MiB. */
export const MAX_RECORD_BYTES = 7 * 1024 * 1024;
/** Columns, or members of structs, that a source may have. */
export const MAX_COLUMNS = 2_000;
/** Elements within each other. */
export const MAX_DEPTH = 100;
