/** Ranges of code points that begin a name without a prefix (XML 1.0, fifth edition), above ASCII. */
const NAME_START: readonly (readonly [number, number])[] = [
  [0xc0, 0xd6],
  [0xd8, 0xf6],
  [0xf8, 0x2ff],
  [0x370, 0x37d],
  [0x37f, 0x1fff],
  [0x200c, 0x200d],
  [0x2070, 0x218f],
  [0x2c00, 0x2fef],
  [0x3001, 0xd7ff],
  [0xf900, 0xfdcf],
  [0xfdf0, 0xfffd],
  [0x10000, 0xeffff],
];
/** Those that may only follow. */
const NAME_CHAR: readonly (readonly [number, number])[] = [
  [0xb7, 0xb7],
  [0x300, 0x36f],
  [0x203f, 0x2040],
];
const PLAIN_NAME = /^[A-Za-z_][A-Za-z0-9_.-]*$/;
/** The name of the empty text. */
const EMPTY = "_x_";
const ESCAPE = /_x([0-9A-F]{4}|[0-9A-F]{6})_/gi;

/**
 * Any text as the name of an element, as SQL/XML (ISO 9075-14) writes identifiers: a character that a name can't have becomes
 * `_x0020_`, its code point in hexadecimal.
 */
export function elementName(text: string): string {
  if (PLAIN_NAME.test(text) && !/_x|^xml/i.test(text)) return text;
  const chars = [...text];
  const parts = chars.map((char, at) => {
    // What looks like an escape would be one for the reader, so its underscore is escaped.
    const looksEscaped = char === "_" && /^x$/i.test(chars[at + 1] ?? "");
    return fits(char, at === 0) && !looksEscaped ? char : escaped(char);
  });
  // Names that begin so are reserved.
  if (/^xml/i.test(text)) parts[0] = escaped(chars[0] ?? "");
  return parts.join("") || EMPTY;
}

/** The text that `elementName` made a name of; a name without escapes is its own text. */
export function textOfName(name: string): string {
  if (!name.includes("_x") && !name.includes("_X")) return name;
  if (name === EMPTY) return "";
  return name.replaceAll(ESCAPE, (all, digits: string) => {
    const code = Number.parseInt(digits, 16);
    // Neither the engine nor the protocol has names with other characters.
    const isNamed = code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
    return isNamed ? String.fromCodePoint(code) : all;
  });
}

function fits(char: string, first: boolean): boolean {
  if (first ? /^[A-Za-z_]/.test(char) : /^[-.\w]/.test(char)) return true;
  const code = char.codePointAt(0) ?? 0;
  const within = ([from, to]: readonly [number, number]) => code >= from && code <= to;
  return NAME_START.some(within) || (!first && NAME_CHAR.some(within));
}

function escaped(char: string): string {
  const code = (char.codePointAt(0) ?? 0).toString(16).toUpperCase();
  return `_x${code.padStart(code.length > 4 ? 6 : 4, "0")}_`;
}
