import type { CsvScanOptions } from "../../engine/file-scan.ts";
import { badRowsOf, encodingOf, fileOptions, sharedSettings, textOptions } from "../common-options.ts";
import type { SourceSpec } from "../connector.ts";
import { invalidOption, type OptionValues, parseOptions } from "../option-values.ts";
import type { OptionSchema } from "../options.ts";
import { parserOptions, parsersOf } from "../parsers/options.ts";

/** What delimited text can be told. */
export const options = {
  delimiter: {
    type: "string",
    doc: "What stands between two values: one to four characters; `\\t` means a tab.",
    default: "found among , ; tab |",
    example: ";",
  },
  quote: {
    type: "string",
    doc: "The character around values that hold delimiters or line ends; empty for none.",
    default: '"',
  },
  escape: {
    type: "string",
    doc: "The character before a quote inside of a quoted value.",
    default: "found: the quote itself or \\",
  },
  header: {
    type: "boolean",
    doc: "Whether the first row holds the columns' names. Empty names become `column_3` by their place, repeated ones `a_2`.",
    default: "found from the first rows",
  },
  nullStrings: {
    type: "stringList",
    doc: "Texts that mean NULL. Empty ones always do.",
    default: "only empty ones",
    example: "NA,-",
  },
  quotedNulls: {
    type: "boolean",
    doc: 'Whether a text that means NULL does so in quotes too. `false` tells `""`, an empty text, from nothing, NULL.',
    default: "true",
  },
  decimalSeparator: {
    type: "string",
    doc: "What stands before the decimals of a number.",
    default: ".",
    choices: [".", ","],
  },
  skipLines: {
    type: "integer",
    doc: "Lines to leave out at the beginning of each file, before the header.",
    default: "0",
  },
  comment: {
    type: "string",
    doc: "A character: lines that begin with it are left out.",
    default: "none",
    example: "#",
  },
  ...textOptions,
  ...fileOptions,
  ...parserOptions,
} as const satisfies OptionSchema;

/** What the options say. `delimiter` is what separates values unless they tell otherwise. Throws UNKNOWN_OPTION, INVALID_OPTION. */
export function settingsOf(kind: string, given: SourceSpec["options"], delimiter?: string) {
  const values = parseOptions(kind, options, given);
  return {
    csv: csvOptionsOf(values, delimiter),
    encoding: encodingOf(values),
    ...sharedSettings(values),
    badRows: badRowsOf(values),
    parsers: parsersOf(values),
  };
}

function csvOptionsOf(values: OptionValues, usualDelimiter: string | undefined): CsvScanOptions {
  const delimiter = delimiterOf(values) ?? usualDelimiter;
  const quote = characterOf(values, "quote", true);
  const escapeCharacter = characterOf(values, "escape", true);
  const comment = characterOf(values, "comment", false);
  const header = values.flag("header");
  const nullStrings = values.list("nullStrings");
  const quotedNulls = values.flag("quotedNulls");
  const dateFormat = values.text("dateFormat");
  const timestampFormat = values.text("timestampFormat");
  const decimalSeparator = values.text("decimalSeparator");
  const skipLines = values.integer("skipLines");
  if (delimiter !== undefined && decimalSeparator === delimiter)
    throw invalidOption("decimalSeparator", decimalSeparator, "another character than the delimiter");
  return {
    ...(delimiter !== undefined && { delimiter }),
    ...(quote !== undefined && { quote }),
    ...(escapeCharacter !== undefined && { escape: escapeCharacter }),
    ...(comment !== undefined && { comment }),
    ...(header !== undefined && { header }),
    ...(nullStrings && { nullStrings }),
    ...(quotedNulls !== undefined && { quotedNulls }),
    ...(dateFormat !== undefined && { dateFormat }),
    ...(timestampFormat !== undefined && { timestampFormat }),
    ...(decimalSeparator !== undefined && { decimalSeparator: decimalSeparator === "," ? "," : "." }),
    ...(skipLines !== undefined && { skipLines }),
  };
}

function delimiterOf(values: OptionValues): string | undefined {
  const raw = values.text("delimiter");
  const delimiter = raw === "\\t" ? "\t" : raw;
  if (delimiter === undefined) return undefined;
  if (delimiter === "" || Buffer.byteLength(delimiter) > 4 || /[\r\n]/.test(delimiter))
    throw invalidOption("delimiter", raw, "one to four characters without line ends");
  return delimiter;
}

function characterOf(values: OptionValues, name: string, mayBeEmpty: boolean): string | undefined {
  const text = values.text(name);
  if (text === undefined || (text === "" && mayBeEmpty)) return text;
  if (Buffer.byteLength(text) !== 1 || /[\r\n]/.test(text))
    throw invalidOption(name, text, `one ASCII character${mayBeEmpty ? " or nothing" : ""}`);
  return text;
}
