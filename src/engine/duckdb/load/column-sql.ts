import type { ScanColumn } from "../../file-scan.ts";
import { DOUBLE_DIGITS } from "../../text/infer-type.ts";
import {
  BOOLEAN,
  DIGITS,
  decimalPattern,
  floatPattern,
  INTEGER,
  ISO_DATE,
  TIME,
  TIMESTAMP_TZ,
  timestampPattern,
  whole,
} from "../../text/text-patterns.ts";
import { quoteLiteral } from "../quoting.ts";
import { PARSED, parserCall } from "./parser-sql.ts";

/** How texts become values. */
export interface TextFormats {
  readonly decimalSeparator: "." | ",";
  readonly dateFormat: string | undefined;
  readonly timestampFormat: string | undefined;
}

/** SQL of one column: how its text becomes a value, and when the value would lose something of the text. */
export interface ColumnSql {
  /** The value; an error (or NULL, when tried) for a text that is nothing like it. */
  readonly value: string;
  /** Cheap: false or NULL for every text that fits in its usual form. Refers to the text and to the value. */
  readonly suspect: string;
  /** Exact, for what is suspected: true when a text does not fit. */
  readonly violation: string;
  /** What of the value is stored, if it is not all of it. */
  readonly output?: string;
}

/**
 * DuckDB's casts drop what they can't keep: `1.5` is the BIGINT 2, `2024-01-01T00:00:00+02:00` a TIMESTAMP without its
 * offset, `007` loses its zeros. So text is read as text, and every value is compared with it: by arithmetic that takes
 * 1–6 ns a value, and only where that suspects something by a regular expression (75 ns).
 * `text` and `value` are the SQL names of both; `attempt` makes an impossible cast NULL rather than an error.
 */
export function columnSql(
  column: ScanColumn,
  text: string,
  value: string,
  formats: TextFormats,
  attempt: boolean,
): ColumnSql | undefined {
  if (column.parser) {
    const failed = `(${value} IS NULL)`;
    const output = `${value}.${PARSED}`;
    return { value: `TRY({'${PARSED}': ${parserCall(column, text)}})`, suspect: failed, violation: failed, output };
  }
  if (column.type === "VARCHAR") return undefined;
  const checked = checkedValue({ column, text, value, formats, attempt });
  if (!attempt) return checked;
  const failed = `(${value} IS NULL AND ${text} IS NOT NULL)`;
  return {
    value: checked.value,
    suspect: `(${failed} OR ${checked.suspect})`,
    violation: `(${failed} OR (${checked.suspect} AND ${checked.violation}))`,
  };
}

interface Context {
  readonly column: ScanColumn;
  readonly text: string;
  readonly value: string;
  readonly formats: TextFormats;
  readonly attempt: boolean;
}

function checkedValue(context: Context): ColumnSql {
  const { column, text, value, formats, attempt } = context;
  const isDeclared = column.origin === "declared";
  const cast = `${attempt ? "TRY_CAST" : "CAST"}(${text} AS ${column.type})`;
  const suspected = (suspect: string, pattern: string) => ({ value: cast, suspect, violation: unlike(text, pattern) });
  const always = (pattern: string) => suspected(unlike(text, pattern), pattern);
  if (column.encoding !== undefined) return unchecked(decoded(column, text, attempt));
  const formatted = withFormat(column.type, formats);
  if (formatted !== undefined) return strictFormat(context, formatted);
  switch (column.type) {
    case "BIGINT":
      return suspected(longerThanValue(text, value), isDeclared ? DIGITS : INTEGER);
    case "TINYINT":
    case "SMALLINT":
    case "INTEGER":
    case "UTINYINT":
    case "USMALLINT":
    case "UINTEGER":
    case "UBIGINT":
      return always(DIGITS);
    case "DOUBLE":
    case "FLOAT":
      return floating(context);
    case "BOOLEAN":
      return isDeclared ? unchecked(cast) : suspected(`${text} NOT IN ('true', 'false')`, BOOLEAN);
    case "DATE":
      return suspected(`(CAST(${value} AS VARCHAR) <> ${text} OR NOT isfinite(${value}))`, ISO_DATE);
    case "TIMESTAMP":
      return suspected(suspectTimestamp(text, value), timestampPattern(6));
    case "TIMESTAMP_NS":
      return always(timestampPattern(9));
    case "TIMESTAMP WITH TIME ZONE":
      return always(TIMESTAMP_TZ);
    case "TIME":
      return always(TIME);
    default:
      return column.type.startsWith("DECIMAL") ? fixed(context) : unchecked(cast);
  }
}

/** The value of a text that stands for it in another way than the one that a cast takes. */
export function decoded({ type, encoding }: ScanColumn, text: string, attempt: boolean): string {
  const cast = attempt ? "TRY_CAST" : "CAST";
  if (encoding === "hex") return attempt ? `TRY(unhex(${text}))` : `unhex(${text})`;
  if (encoding === "json") return `${cast}(${cast}(${text} AS JSON) AS ${type})`;
  if (encoding !== "list") return text;
  // By way of texts, as the cast of JSON to numbers knows neither a plus nor spaces.
  const texts = `${cast}(${cast}(substr(${text}, 2) AS JSON) AS VARCHAR[])`;
  return `CASE WHEN ${text} IS NULL THEN NULL WHEN starts_with(${text}, chr(1)) THEN ${cast}(${texts} AS ${type})
    ELSE [${cast}(${text} AS ${type.slice(0, -2)})] END`;
}

function unlike(text: string, pattern: string): string {
  return `NOT regexp_full_match(${text}, ${quoteLiteral(whole(pattern))})`;
}

/** A cast that fails where it would lose something, or a declared type, which says that it may. */
function unchecked(value: string): ColumnSql {
  return { value, suspect: "false", violation: "false" };
}

function strictFormat({ column, text, value }: Context, format: string): ColumnSql {
  const failed = `(${value} IS NULL AND ${text} IS NOT NULL)`;
  return {
    value: `CAST(TRY_STRPTIME(${text}, ${quoteLiteral(format)}) AS ${column.type})`,
    suspect: failed,
    violation: failed,
  };
}

function withFormat(type: string, formats: TextFormats): string | undefined {
  if (type === "DATE") return formats.dateFormat;
  if (type.startsWith("TIMESTAMP")) return formats.timestampFormat;
  return undefined;
}

/** The longest text of a 64-bit integer. */
const MAX_INTEGER_LENGTH = 20;
const NINES = Array.from({ length: 18 }, (_, index) => 10n ** BigInt(index + 1) - 1n);
const MAX = 2n ** 63n - 1n;
// By the length of the text: the greatest value that is too small to need it, and the least negative one. Index 1 is one character.
const TOO_SMALL = list([-1n, ...NINES], MAX);
const TOO_NEAR_ZERO = list([-MAX, 0n, ...NINES.map((value) => -value)], -MAX);

function list(values: readonly bigint[], rest: bigint): string {
  const filled = Array.from({ length: MAX_INTEGER_LENGTH }, (_, index) => values[index] ?? rest);
  return `[${filled.join(",")}]::BIGINT[]`;
}

/** Whether an integer's text has more characters than the integer needs: a fraction, leading zeros, a plus, spaces. */
function longerThanValue(text: string, value: string): string {
  const length = `strlen(${text})`;
  const isLonger = `(${value} <= (${TOO_SMALL})[${length}] AND ${value} >= (${TOO_NEAR_ZERO})[${length}])`;
  return `(${isLonger} OR ${length} > ${MAX_INTEGER_LENGTH})`;
}

/**
 * `YYYY-MM-DD hh:mm:ss` is told by its length and its last colon. The colon is looked for only where the text does not
 * end in `:00` (5 ns against 26): with 19 characters, a year of four digits and that end there is no room for an offset.
 */
function suspectTimestamp(text: string, value: string): string {
  // AND and OR go on with the rows that are left; within NOT (…) both sides would be computed for all of them.
  const noColon = `(NOT suffix(${text}, ':00') AND ${text}[17] <> ':')`;
  return `(strlen(${text}) <> 19 OR ${noColon} OR ${value} < TIMESTAMP '1000-01-01')`;
}

function floating({ column, text, value, formats, attempt }: Context): ColumnSql {
  const sql = `${attempt ? "TRY_CAST" : "CAST"}(${withPoint(text, formats)} AS ${column.type})`;
  const foreign = foreignPoint(text, formats);
  if (column.origin === "declared") return { value: sql, suspect: foreign, violation: foreign };
  const suspect = [
    `strlen(${text}) > ${DOUBLE_DIGITS}`,
    ...unusualStarts(text),
    `NOT isfinite(${value})`,
    `(${value} = 0 AND strlen(${text}) > 5)`,
    `contains(${text}, '_')`,
    foreign,
  ].join(" OR ");
  const mantissa = `regexp_replace(${text}, '[eE].*$', '')`;
  const digits = `trim(regexp_replace(${mantissa}, '[^0-9]', '', 'g'), '0')`;
  const fits = [
    `regexp_full_match(${text}, ${quoteLiteral(whole(floatPattern(formats.decimalSeparator)))})`,
    `strlen(${digits}) <= ${DOUBLE_DIGITS}`,
    `NOT (NOT isfinite(${value}) AND regexp_matches(${text}, '[0-9]'))`,
    `NOT (${value} = 0 AND ${digits} <> '')`,
  ].join(" AND ");
  return { value: sql, suspect: `(${suspect})`, violation: `NOT (${fits})` };
}

/** Leading zeros, a plus, spaces: told by the order of texts, of which DuckDB compares the first four bytes as a number. */
function unusualStarts(text: string): readonly string[] {
  return [
    `${text} < '!'`,
    `(${text} >= '00' AND ${text} < '0:')`,
    `(${text} >= '-00' AND ${text} < '-0:')`,
    `(${text} >= '+' AND ${text} < '-')`,
  ];
}

/** A point in a number whose decimals follow a comma: it means something else than it would for the engine. */
function foreignPoint(text: string, { decimalSeparator }: TextFormats): string {
  return decimalSeparator === "," ? `contains(${text}, '.')` : "false";
}

function fixed({ column, text, formats, attempt }: Context): ColumnSql {
  const scale = Number(/,(\d+)\)/.exec(column.type)?.[1] ?? 0);
  const separator = formats.decimalSeparator;
  const point = quoteLiteral(separator);
  const suspect = `(${[
    `(contains(${text}, ${point}) AND strlen(${text}) - strpos(${text}, ${point}) > ${scale})`,
    ...unusualStarts(text),
    `contains(${text}, 'e')`,
    `contains(${text}, 'E')`,
    `contains(${text}, '_')`,
    foreignPoint(text, formats),
  ].join(" OR ")})`;
  const cast = `${attempt ? "TRY_CAST" : "CAST"}(${withPoint(text, formats)} AS ${column.type})`;
  const fast = quickDecimal(text, column.type, scale, point, attempt);
  if (column.origin === "declared") {
    const value = fast === undefined ? cast : `CASE WHEN ${suspect} THEN ${cast} ELSE ${fast} END`;
    const foreign = foreignPoint(text, formats);
    return { value, suspect: foreign, violation: foreign };
  }
  const tooFine = quoteLiteral(`${separator === "." ? "\\." : ","}[0-9]{${scale + 1}}`);
  const pattern = quoteLiteral(whole(decimalPattern(separator)));
  const fits = `(NOT regexp_matches(${text}, ${tooFine}) AND regexp_full_match(${text}, ${pattern}))`;
  return { value: fast ?? cast, suspect, violation: `NOT ${fits}` };
}

/** Decimals of up to so many digits are 64-bit numbers. */
const SHORT_DIGITS = 18;

/**
 * A decimal of more than 18 digits from its digits: DuckDB 1.5 takes 6 µs to cast a text to one, 30 ns up to 18 digits,
 * and 0.2 µs this way.
 */
function quickDecimal(text: string, type: string, scale: number, point: string, attempt: boolean): string | undefined {
  if (!isLongDecimal(type)) return undefined;
  const trimmed = `trim(${text})`;
  const digits =
    scale === 0
      ? `rtrim(${trimmed}, ${point})`
      : `split_part(${trimmed}, ${point}, 1) || rpad(split_part(${trimmed}, ${point}, 2), ${scale}, '0')`;
  const whole = `CAST(CAST(${digits} AS HUGEINT) AS DECIMAL(38,0))`;
  const unit = `CAST('0.${"0".repeat(Math.max(0, scale - 1))}1' AS DECIMAL(${scale},${scale}))`;
  const value = `CAST(${scale === 0 ? whole : `${whole} * ${unit}`} AS ${type})`;
  return attempt ? `TRY(${value})` : value;
}

/** Whether the engine's own cast of a text to this type is too slow: see `quickDecimal`. */
export function isLongDecimal(type: string): boolean {
  return Number(/^DECIMAL\((\d+),\d+\)$/.exec(type)?.[1] ?? 0) > SHORT_DIGITS;
}

/** The value of a text that is known to fit a long decimal's type; by the engine's cast where it is written in another way. */
export function longDecimal(column: ScanColumn, text: string): string {
  const formats: TextFormats = { decimalSeparator: ".", dateFormat: undefined, timestampFormat: undefined };
  return fixed({ column: { ...column, origin: "declared" }, text, value: text, formats, attempt: false }).value;
}

function withPoint(text: string, formats: TextFormats): string {
  return formats.decimalSeparator === "." ? text : `replace(${text}, ',', '.')`;
}
