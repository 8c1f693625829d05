import type { ScanColumn } from "../../file-scan.ts";

/** How the value of a parser is wrapped, so that a failure differs from NULL. */
export const PARSED = "parsed";

/** A parser's call, as an error where the text does not suit it. The text's name tells whose parser it is. */
export function parserCall({ type, parser }: ScanColumn, text: string): string {
  const call = `${macroName(text)}(${text})`;
  return parser?.declared ? `CAST(${call} AS ${type})` : call;
}

/** The macro of the parser of a text. */
export function macroName(text: string): string {
  return `parse_${text}`;
}
