import type { ScanColumn } from "../../engine/file-scan.ts";

/** A type of the server's, as its catalogue says. */
export interface PgType {
  readonly oid: number;
  /** With its schema, unless that is pg_catalog. */
  readonly name: string;
  /** For arrays. */
  readonly element?: PgType;
}

/** What has to be asked of all rows before a type can be chosen. */
export type Look =
  /** Numbers that may be NaN or infinite, or have any number of digits. */
  | { readonly kind: "decimal"; readonly precision: number | undefined; readonly scale: number | undefined }
  | { readonly kind: "money" }
  /** JSON as it was written, which may hold halves of characters that no reader takes. */
  | { readonly kind: "json" }
  /** Arrays that may have any number of dimensions. */
  | { readonly kind: "array"; readonly element: Look | undefined };

/** The answers of a look. */
export interface Looked {
  /** The greatest absolute value as text: `NaN`, `Infinity`, digits; null without values. */
  readonly greatest?: string | null;
  readonly scale?: number | null;
  /** Whether JSON may hold halves of characters. */
  readonly halves?: boolean;
  /** The least and greatest number of dimensions; null without values. */
  readonly dimensions?: readonly [number, number] | null;
  /** Whether all arrays begin at 1. */
  readonly fromOne?: boolean;
}

/** How a column travels and what it becomes. */
export interface Mapping extends Pick<ScanColumn, "type" | "encoding"> {
  /** SQL of what is sent for SQL of the column. */
  readonly sql: (column: string) => string;
  readonly warning?: string;
}

const asIs = (column: string) => column;
const plain = (type: string): Mapping => ({ type, sql: asIs });

/** Types whose text is what the engine reads. Whatever is not named here stays the text that PostgreSQL writes. */
const PLAIN: Readonly<Record<string, string>> = {
  bool: "BOOLEAN",
  int2: "SMALLINT",
  int4: "INTEGER",
  int8: "BIGINT",
  oid: "UINTEGER",
  xid: "UINTEGER",
  cid: "UINTEGER",
  xid8: "UBIGINT",
  float4: "FLOAT",
  float8: "DOUBLE",
  time: "TIME",
  uuid: "UUID",
  jsonb: "JSON",
};

/** PostgreSQL writes years before 1 as `0044-03-15 10:00:00 BC`, the engine reads `0044-03-15 (BC) 10:00:00`. */
const TIMES: Readonly<Record<string, { readonly type: string; readonly first: string }>> = {
  date: { type: "DATE", first: "DATE '0001-01-01'" },
  timestamp: { type: "TIMESTAMP", first: "TIMESTAMP '0001-01-01 00:00:00'" },
  timestamptz: { type: "TIMESTAMP WITH TIME ZONE", first: "TIMESTAMPTZ '0001-01-01 00:00:00+00'" },
};

/** What must be asked of all rows before `mapType` can tell the column's type; undefined for most types. */
export function lookOf(type: PgType, modifier: number): Look | undefined {
  if (type.element) return { kind: "array", element: lookOf(type.element, modifier) };
  if (type.name === "money" || type.name === "json") return { kind: type.name };
  if (type.name !== "numeric") return undefined;
  const { precision, scale } = precisionOf(modifier) ?? {};
  return { kind: "decimal", precision, scale };
}

/** Precision and scale of a numeric column; undefined where it may hold any number. */
function precisionOf(modifier: number): { readonly precision: number; readonly scale: number } | undefined {
  if (modifier < 4) return undefined;
  const precision = ((modifier - 4) >> 16) & 0xffff;
  // Eleven bits with a sign: negative scales exist since version 15.
  const scale = (((modifier - 4) & 0x7ff) ^ 1_024) - 1_024;
  // numeric(5,-2) has seven digits before the point, numeric(2,5) five behind it.
  return { precision: Math.max(scale < 0 ? precision - scale : precision, scale), scale: Math.max(scale, 0) };
}

const MAX_DIGITS = 38;
/** Decimals of up to so many digits are 64-bit numbers in the engine. */
const SHORT_DIGITS = 18;
const DOUBLE_DIGITS = 15;

/** What a column becomes. Without loss: where no type holds all of its values, it stays text and says so. */
export function mapType(type: PgType, modifier: number, looked: Looked = {}): Mapping {
  if (type.element) return mapArray(type.element, modifier, looked);
  const simple = PLAIN[type.name];
  if (simple !== undefined) return plain(simple);
  const time = TIMES[type.name];
  if (time) return { type: time.type, sql: timeSql(time.first) };
  if (type.name === "bytea")
    return { type: "BLOB", encoding: "hex", sql: (column) => `pg_catalog.encode(${column}, 'hex')` };
  if (type.name === "json") return plain(looked.halves ? "VARCHAR" : "JSON");
  if (type.name === "numeric") return mapDecimal(modifier, looked);
  if (type.name === "money") return { type: `DECIMAL(19,${looked.scale ?? 2})`, sql: (column) => `${column}::numeric` };
  return plain("VARCHAR");
}

function timeSql(first: string): Mapping["sql"] {
  return (column) =>
    `CASE WHEN ${column} < ${first} AND pg_catalog.isfinite(${column}) ` +
    `THEN pg_catalog.regexp_replace(${column}::text, '^([^ ]+)(.*) BC$', '\\1 (BC)\\2') ELSE ${column}::text END`;
}

function mapDecimal(modifier: number, looked: Looked): Mapping {
  const declared = precisionOf(modifier);
  const greatest = looked.greatest ?? "0";
  const special = /[NI]/.test(greatest);
  if (special) {
    if (declared && declared.precision <= DOUBLE_DIGITS) return plain("DOUBLE");
    return { ...plain("VARCHAR"), warning: "it holds NaN or infinity, which decimals can't, and is kept as text" };
  }
  if (declared && declared.precision <= MAX_DIGITS) return plain(`DECIMAL(${declared.precision},${declared.scale})`);
  const scale = looked.scale ?? 0;
  const digits = greatest.replace(/\..*$/, "").replace(/^0+/, "").length + scale;
  if (digits <= MAX_DIGITS) return plain(`DECIMAL(${digits <= SHORT_DIGITS ? SHORT_DIGITS : MAX_DIGITS},${scale})`);
  return { ...plain("VARCHAR"), warning: `it holds numbers of up to ${digits} digits and is kept as text` };
}

/** Their texts would mean something else as elements: digits of bytes, JSON within JSON, amounts in a currency. */
const TEXT_ELEMENTS: ReadonlySet<string> = new Set(["bytea", "json", "jsonb", "money"]);

function mapArray(element: PgType, modifier: number, looked: Looked): Mapping {
  const { dimensions, fromOne = true } = looked;
  const [least, most] = dimensions ?? [1, 1];
  if (least !== most || !fromOne)
    return {
      ...plain("VARCHAR"),
      warning: `its arrays ${fromOne ? "differ in their dimensions" : "do not all begin at 1"}, and it is kept as text`,
    };
  const mapped = TEXT_ELEMENTS.has(element.name) ? plain("VARCHAR") : mapType(element, modifier, looked);
  const { type } = mapped;
  // By way of the whole array's text, where the cast of an element would take its spaces off.
  const texts = element.name === "bpchar" ? "::text::text[]" : "::text[]";
  const json = (column: string) => `pg_catalog.to_json(${column}${texts})::text`;
  const before = "'\"([^\" ]+)([^\"]*) BC\"', '\"\\1 (BC)\\2\"', 'g'";
  return {
    type: `${type}${"[]".repeat(most)}`,
    encoding: "json",
    sql: TIMES[element.name] ? (column) => `pg_catalog.regexp_replace(${json(column)}, ${before})` : json,
    ...(mapped.warning !== undefined && { warning: mapped.warning }),
  };
}

/** The aggregates, as SQL, whose answers `lookedAt` takes in the same order. */
export function lookSql(look: Look, column: string): readonly string[] {
  switch (look.kind) {
    case "decimal":
      // NaN is the greatest of all, so one aggregate finds it; a declared precision excludes infinity.
      return look.precision !== undefined && look.precision <= MAX_DIGITS
        ? [`pg_catalog.max(${column})`, "NULL::int"]
        : [`pg_catalog.max(pg_catalog.abs(${column}))`, `pg_catalog.max(pg_catalog.scale(${column}))`];
    case "money":
      return ["NULL::numeric", `pg_catalog.max(pg_catalog.scale(${column}::numeric))`];
    case "json":
      return [`pg_catalog.bool_or(pg_catalog.strpos(pg_catalog.lower(${column}::text), '\\ud') > 0)`, "NULL::int"];
    case "array": {
      const inner = (sql: string) =>
        sql.startsWith("NULL") ? sql : `pg_catalog.max((SELECT ${sql} FROM pg_catalog.unnest(${column}) AS e(v)))`;
      const [greatest, scale] =
        look.element?.kind === "decimal" ? lookSql(look.element, "e.v").map(inner) : ["NULL::numeric", "NULL::int"];
      const starts = `pg_catalog.array_to_string(ARRAY(SELECT pg_catalog.array_lower(${column}, d.n) FROM pg_catalog.generate_series(1, pg_catalog.array_ndims(${column})) AS d(n)), ',')`;
      return [
        greatest ?? "NULL::numeric",
        scale ?? "NULL::int",
        `pg_catalog.min(pg_catalog.array_ndims(${column}))`,
        `pg_catalog.max(pg_catalog.array_ndims(${column}))`,
        `pg_catalog.bool_and(${starts} ~ '^(1(,1)*)?$')`,
      ];
    }
  }
}

/** What the aggregates of one look have answered. */
export function lookedAt(look: Look, answers: readonly (string | null)[]): Looked {
  const [greatest = null, scale = null, least = null, most = null, fromOne = null] = answers;
  if (look.kind === "json") return { halves: greatest === "t" };
  return {
    greatest,
    scale: scale === null ? null : Number(scale),
    ...(look.kind === "array" && {
      dimensions: least === null || most === null ? null : ([Number(least), Number(most)] as const),
      fromOne: fromOne !== "f",
    }),
  };
}

/** How many aggregates a look takes. */
export function lookWidth(look: Look): number {
  return lookSql(look, "").length;
}

/** PostgreSQL's name of a type that a client may declare. */
export function castTarget(declared: string): string {
  return CASTS[declared] ?? declared.replace("DECIMAL", "numeric");
}

const CASTS: Readonly<Record<string, string>> = {
  BOOLEAN: "boolean",
  TINYINT: "smallint",
  SMALLINT: "smallint",
  INTEGER: "integer",
  BIGINT: "bigint",
  UTINYINT: "smallint",
  USMALLINT: "integer",
  UINTEGER: "bigint",
  UBIGINT: "numeric(20,0)",
  FLOAT: "real",
  DOUBLE: "double precision",
  VARCHAR: "text",
  DATE: "date",
  TIME: "time",
  TIMESTAMP: "timestamp",
  TIMESTAMP_NS: "timestamp",
  "TIMESTAMP WITH TIME ZONE": "timestamptz",
  UUID: "uuid",
};
