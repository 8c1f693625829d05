const ALIASES: Readonly<Record<string, string>> = {
  BOOL: "BOOLEAN",
  INT: "INTEGER",
  LONG: "BIGINT",
  REAL: "FLOAT",
  TEXT: "VARCHAR",
  STRING: "VARCHAR",
  DATETIME: "TIMESTAMP",
  TIMESTAMPTZ: "TIMESTAMP WITH TIME ZONE",
  // Parquet has no 128-bit integers; 38 digits is the widest exact number that it keeps.
  HUGEINT: "DECIMAL(38,0)",
  DECIMAL: "DECIMAL(18,3)",
  NUMERIC: "DECIMAL(18,3)",
};

/** Types that a client may declare for a column, besides `DECIMAL(p,s)`. */
export const DECLARABLE_TYPES: readonly string[] = [
  "BOOLEAN",
  "TINYINT",
  "SMALLINT",
  "INTEGER",
  "BIGINT",
  "UTINYINT",
  "USMALLINT",
  "UINTEGER",
  "UBIGINT",
  "FLOAT",
  "DOUBLE",
  "VARCHAR",
  "DATE",
  "TIME",
  "TIMESTAMP",
  "TIMESTAMP_NS",
  "TIMESTAMP WITH TIME ZONE",
  "UUID",
];

/** The canonical SQL text of a type that a client declared; undefined when there is no such type. */
export function declaredType(text: string): string | undefined {
  const name = text.trim().replaceAll(/\s+/g, " ").toUpperCase();
  const known = ALIASES[name] ?? name;
  return DECLARABLE_TYPES.includes(known) ? known : decimal(known);
}

function decimal(text: string): string | undefined {
  const match = /^(?:DECIMAL|NUMERIC) ?\( ?(\d{1,2}) ?(?:, ?(\d{1,2}) ?)?\)$/.exec(text);
  if (!match) return undefined;
  const precision = Number(match[1]);
  const scale = Number(match[2] ?? 0);
  return precision >= 1 && precision <= 38 && scale <= precision ? `DECIMAL(${precision},${scale})` : undefined;
}
