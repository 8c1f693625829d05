import type { Column, ResultValue } from "../../../node/src/index.ts";

/** What stands for NULL in tables: unlike "NULL" or an empty cell it is hardly ever a text of the data itself. */
export const nullText = "∅";

/** Whether a column's cells stand to the right. */
export function isNumeric(column: Pick<Column, "kind">): boolean {
  return column.kind === "integer" || column.kind === "decimal" || column.kind === "float";
}

/** Makes the texts of one column's cells. */
export type CellFormat = (value: ResultValue) => string;

/**
 * The format of a column: floats are rounded to what the eye takes in unless `full`, all of a column to the same number
 * of decimals, which the first rows decide.
 */
export function cellFormat(column: Pick<Column, "kind">, first: readonly ResultValue[], full: boolean): CellFormat {
  if (column.kind !== "float" || full) return cellText;
  if (!first.some((value) => isFraction(value) && Math.abs(value) >= 1))
    return (value) => (typeof value === "number" ? floatText(value) : cellText(value));
  return (value) => (isSized(value) ? value.toFixed(3) : cellText(value));
}

function isFraction(value: ResultValue): value is number {
  return isSized(value) && !Number.isInteger(value);
}

/** Beyond that `toFixed` would show digits that a double does not have. */
function isSized(value: ResultValue): value is number {
  return typeof value === "number" && Math.abs(value) < 1e12;
}

/** A value with all its digits as the text of a cell. */
export function cellText(value: ResultValue): string {
  if (value === null) return nullText;
  if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString("hex")}`;
  if (typeof value === "object") return printable(JSON.stringify(value));
  return printable(String(value));
}

/** A single float for the eye: three decimals, or four digits for what is smaller. */
export function floatText(value: number): string {
  if (!Number.isFinite(value) || Number.isInteger(value)) return String(value);
  const size = Math.abs(value);
  if (size >= 1e15) return String(value);
  return size >= 1 ? value.toFixed(3) : String(Number(value.toPrecision(4)));
}

const named: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** Control characters from data would move the cursor or recolour the terminal, bidirectional ones reorder the row. */
export function printable(text: string): string {
  return text.toWellFormed().replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
    /[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    (character) => named[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
