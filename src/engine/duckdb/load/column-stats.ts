import type { TextStats } from "../../text/infer-type.ts";
import {
  DIGITS,
  floatPattern,
  ISO_DATE,
  TIME,
  TIMESTAMP_TZ,
  timestampPattern,
  whole,
} from "../../text/text-patterns.ts";
import { quoteLiteral } from "../quoting.ts";

export type Run = (sql: string) => Promise<readonly (readonly unknown[])[]>;

/** What may hold a column of text: numbers, or one of these types. */
export type Candidates = "numbers" | readonly TimeType[];
type TimeType = "date" | "timestamp" | "timestampNs" | "timestampTz" | "time";

export const TIME_TYPES: readonly TimeType[] = ["date", "timestamp", "timestampNs", "timestampTz", "time"];

export interface TextColumn {
  readonly text: string;
  readonly candidates: Candidates;
}

const NOTHING: TextStats = {
  values: 0,
  integer: false,
  fits64: false,
  leadingZeros: false,
  decimal: false,
  float: false,
  maxSignificant: 0,
  maxIntegerDigits: 0,
  maxScale: 0,
  boolean: false,
  date: false,
  timestamp: false,
  timestampNs: false,
  timestampTz: false,
  time: false,
};

/**
 * Gathers for columns of text what `statsOf` gathers of a sample, over all rows of `from`. Only what can still hold a column
 * is asked: a regular expression over 3 M values takes about 0.3 s.
 */
export async function exactStats(
  run: Run,
  columns: readonly TextColumn[],
  separator: "." | ",",
  from: string,
): Promise<readonly TextStats[]> {
  const parts = columns.map(({ candidates }, at) =>
    candidates === "numbers" ? numberParts(`t${at}`, at, separator) : [],
  );
  const texts = columns.map(({ text }, at) => `${text} AS t${at}`).join(", ");
  const inner = parts.some((part) => part.length > 0)
    ? `(SELECT *, ${parts.flat().join(", ")} FROM (SELECT ${texts} FROM ${from}))`
    : `(SELECT ${texts} FROM ${from})`;
  const answers = columns.map(({ candidates }, at) => `${answer(candidates, at, separator)} AS a${at}`);
  const [row] = await run(`SELECT ${answers.join(", ")} FROM ${inner}`);
  return columns.map((_, at) => ({ ...NOTHING, ...(JSON.parse(String(row?.[at])) as Partial<TextStats>) }));
}

/** The aggregates of one column as a JSON object with the names of TextStats. */
function answer(candidates: Candidates, at: number, separator: "." | ","): string {
  const questions = {
    values: `count(t${at})`,
    ...(candidates === "numbers" ? ofNumbers(at, separator) : ofTimes(`t${at}`, candidates)),
  };
  const members = Object.entries(questions).map(([name, sql]) => `${quoteLiteral(name)}, ${sql}`);
  return `json_object(${members.join(", ")})::VARCHAR`;
}

/** Every value is matched once and taken apart once: `n0` tells whether it is a number, `p0` its digits. */
function numberParts(text: string, at: number, separator: "." | ","): readonly string[] {
  const point = separator === "." ? "\\." : ",";
  const shape = `^[ \\t]*[+-]?([0-9]*)(?:${point}([0-9]*))?(?:[eE]([+-]?[0-9]+))?[ \\t]*$`;
  return [
    `regexp_full_match(${text}, ${quoteLiteral(whole(floatPattern(separator)))}) AS n${at}`,
    `regexp_extract(${text}, ${quoteLiteral(shape)}, ['i', 'f', 'e']) AS p${at}`,
  ];
}

function ofNumbers(at: number, separator: "." | ","): Readonly<Record<string, string>> {
  const text = `t${at}`;
  const isNumber = `n${at}`;
  const part = `p${at}`;
  const every = (condition: string) => `coalesce(bool_and(${condition}) FILTER (WHERE ${text} IS NOT NULL), false)`;
  const most = (number: string) => `coalesce(max(${number}), 0)`;
  const double = `TRY_CAST(${separator === "." ? text : `replace(${text}, ',', '.')`} AS DOUBLE)`;
  const digits = `trim(${part}.i || ${part}.f, '0')`;
  const named = `(${part}.i = '' AND ${part}.f = '')`;
  const isInteger = `${isNumber} AND ${part}.i <> '' AND ${part}.e = '' AND NOT contains(${text}, ${quoteLiteral(separator)})`;
  // Not a number, but digits: leading zeros.
  const isDigits = `CASE WHEN ${isNumber} THEN ${isInteger} ELSE regexp_full_match(${text}, ${quoteLiteral(whole(DIGITS))}) END`;
  const inRange = `(${named} OR (isfinite(${double}) AND (${double} <> 0 OR ${digits} = '')))`;
  return {
    integer: every(isInteger),
    fits64: every(`TRY_CAST(${text} AS BIGINT) IS NOT NULL`),
    leadingZeros: `(${every(isDigits)} AND NOT ${every(isInteger)})`,
    decimal: every(`${isNumber} AND NOT ${named} AND ${part}.e = ''`),
    float: `(${every(`${isNumber} AND coalesce(${inRange}, false)`)} AND coalesce(bool_or(NOT ${named}), false))`,
    maxSignificant: most(`strlen(${digits})`),
    maxIntegerDigits: most(`CASE WHEN ${part}.i = '0' THEN 0 ELSE strlen(${part}.i) END`),
    maxScale: most(`strlen(${part}.f)`),
  };
}

const TIMES: Readonly<Record<TimeType, readonly [pattern: string, type: string]>> = {
  date: [ISO_DATE, "DATE"],
  timestamp: [timestampPattern(6), "TIMESTAMP"],
  timestampNs: [timestampPattern(9), "TIMESTAMP_NS"],
  timestampTz: [TIMESTAMP_TZ, "TIMESTAMP WITH TIME ZONE"],
  time: [TIME, "TIME"],
};

function ofTimes(text: string, candidates: readonly TimeType[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    candidates.map((candidate) => {
      const [pattern, type] = TIMES[candidate];
      const fits = `regexp_full_match(${text}, ${quoteLiteral(whole(pattern))}) AND TRY_CAST(${text} AS ${type}) IS NOT NULL`;
      return [candidate, `coalesce(bool_and(${fits}) FILTER (WHERE ${text} IS NOT NULL), false)`];
    }),
  );
}
