/**
 * What the text of a value may look like so that a type holds all of it. The same patterns are used for the sample (in
 * JavaScript) and for the whole file (in RE2), so they keep to what both understand.
 */
const DATE = "[0-9]{4}[-/](?:0[1-9]|1[0-2])[-/](?:0[1-9]|[12][0-9]|3[01])";
const CLOCK = "(?:[01][0-9]|2[0-3]):[0-5][0-9]";
const OFFSET = "(?:Z|[+-](?:0[0-9]|1[0-5])(?::[0-5][0-9])?)";

/** Any digits with a sign: leading zeros included. */
export const DIGITS = "[+-]?[0-9]+";
export const INTEGER = "[+-]?(?:0|[1-9][0-9]*)";
export const BOOLEAN = "(?:true|false|TRUE|FALSE|True|False)";
export const ISO_DATE = DATE;
export const TIME = `${CLOCK}:[0-5][0-9](?:\\.[0-9]{1,6})?`;

/** A date with or without a time of day; at most `digits` of a second's fraction. */
export function timestampPattern(digits: number): string {
  return `${DATE}(?:[ T]${CLOCK}(?::[0-5][0-9](?:\\.[0-9]{1,${digits}})?)?)?`;
}

/** An instant: the offset must be there. */
export const TIMESTAMP_TZ = `${DATE}[ T]${CLOCK}:[0-5][0-9](?:\\.[0-9]{1,6})?${OFFSET}`;

/** A number in plain notation. */
export function decimalPattern(separator: "." | ","): string {
  const point = separator === "." ? "\\." : ",";
  return `[+-]?(?:(?:0|[1-9][0-9]*)(?:${point}[0-9]*)?|${point}[0-9]+)`;
}

/** A number with or without an exponent, or one of the names of NaN and the infinities. */
export function floatPattern(separator: "." | ","): string {
  return `(?:${decimalPattern(separator)}(?:[eE][+-]?[0-9]{1,4})?|nan|NaN|NAN|[+-]?inf|[+-]?Inf|[+-]?Infinity|[+-]?infinity)`;
}

/** The pattern for the whole of a value, whatever spaces surround it. */
export function whole(pattern: string): string {
  return `[ \\t]*(?:${pattern})[ \\t]*`;
}
