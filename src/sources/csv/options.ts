import { columnOptions, textOptions } from "../common-options.ts";
import type { OptionSchema } from "../options.ts";

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
  ...columnOptions,
} as const satisfies OptionSchema;
