import type { Scalar } from "../../../node/src/index.ts";

const numberText = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/**
 * A bare value: `null`, `true`, `false`, a number, else text. A number with more digits than a double holds stays text,
 * which the driver reads as the column's type.
 */
export function parseValue(text: string): Scalar {
  const lower = text.toLowerCase();
  if (lower === "null") return null;
  if (lower === "true" || lower === "false") return lower === "true";
  return isExactNumber(text) ? Number(text) : text;
}

/** Whether a text is a number that a double holds without losing a digit. */
export function isExactNumber(text: string): boolean {
  return numberText.test(text) && significantDigits(text) <= 15 && Number.isFinite(Number(text));
}

function significantDigits(text: string): number {
  const mantissa = text.replace(/[eE].*$/, "").replace(/[-.]/g, "");
  return mantissa.replace(/^0+/, "").length;
}
